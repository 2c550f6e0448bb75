# SPDX-License-Identifier: GPL-2.0-or-later
# People and their groups in slapd and in SQL, asked by FreeRADIUS's own modules as Debian ships
# their configuration. What the shipped samples say is done to it, and nothing else: the commented
# lines are taken out of the samples and go where they say.
"""FreeRADIUS with rlm_devtrust in front of a directory: groups by LDAP and SQL."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional

import pytest

from tests.lib import ldap as directory
from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.ldap import Ldap
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

PUSH, TOTP = "push", "token:software:totp"
STOCK = Path("/etc/freeradius/3.0")
VPN = (rad.SAMPLES / "sites-available" / "devtrust-vpn").read_text()
WIFI = (rad.SAMPLES / "sites-available" / "devtrust-wifi").read_text()
MODULE = (rad.SAMPLES / "mods-available" / "devtrust").read_text()
CROWD = 1000  # groups, which no rule names
# With a directory "files" is not needed: the samples say so.
NO_FILES = {"\t\t\tfiles\n\t\t\tpap": "\t\t\tpap", "\t\tfiles\n\t\tpap": "\t\tpap",
            "\t\tfiles\n\t\tmschap": "\t\tmschap"}

# Who is in which groups. Rules name those of DENIED and ASKED; everybody else is let in at once,
# who is known to be in none of them.
DENIED = ["contractors", "vpn, no access", "Gäste", "twice", "outer", "dn-*"]
ASKED = ["vpn users"]
GROUPS = {"contractors": ["dtcon", "dtmany"], "vpn, no access": ["dtcomma"], "Gäste": ["dtutf"],
          "twice": ["dttwice"], "vpn users": ["dtasked", "dtcode", "dtcrowd"],
          "inner": ["dtnested"], "staff": ["dtstaff", "dttwice"]}
PEOPLE = ("dtcon", "dtcomma", "dtutf", "dttwice", "dtasked", "dtcode", "dtcrowd", "dtnested",
          "dtstaff", "dtnone", "dtmany", "dtname", "dtover", "dtdown")


def policy(application: str) -> dict[str, Any]:
    return {"name": application, "application": application,
            "groups": [{"name": "outer", "contains": ["inner"]}],
            "rules": [
                sites.rule("Denied", 1, access="DENY", people={"groups": {"include": DENIED}}),
                sites.rule("Asked", 2, frequency="EVERY_SIGN_ON", factors=(PUSH, TOTP),
                           people={"groups": {"include": ASKED}}),
                sites.rule("Free", 3, "NOT_TRUSTED"), sites.catch_all()]}


# --- the edits that the samples ask for ----------------------------------------------------------

def commented(text: str, first: str) -> str:
    """The lines from the commented line `first` to the commented line that closes its block."""
    found = re.search(rf"^(\t*)#{re.escape(first)}\n(?:.*\n)*?\1#\}}\n", text, re.MULTILINE)
    assert found, first
    return found[0]


def uncommented(lines: str) -> str:
    return re.sub(r"^(\t*)#", r"\1", lines, flags=re.MULTILINE)


def take_out(text: str, first: str) -> dict[str, str]:
    lines = commented(text, first)
    return {lines: uncommented(lines)}


def told(section: str) -> str:
    """What the sample wants in that section of mods-available/ldap."""
    found = re.search(rf"^\t\t#\t{section} \{{\n((?:\t\t#\t\t.*\n)+)\t\t#\t\}}\n", VPN,
                      re.MULTILINE)
    assert found, section
    return found[1].replace("\t\t#\t", "\t")


def stock_ldap(url: str, **changes: str) -> str:
    """Debian's mods-available/ldap with this directory's place, and what the sample says."""
    text = (STOCK / "mods-available" / "ldap").read_text()
    edits = {"server = 'localhost'": f"server = '{url}'",
             "base_dn = 'dc=example,dc=org'": f"base_dn = '{directory.BASE}'",
             "\n\tupdate {\n": "\n\tupdate {\n" + told("update"),
             "\n\tgroup {\n": "\n\tgroup {\n" + told("group"),
             "\n\t\tmembership_attribute": "\n#\t\tmembership_attribute", **changes}
    for old, new in edits.items():
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    return text


def stock_sql(database: Path) -> str:
    """Debian's mods-available/sql with the database of the test."""
    text = (STOCK / "mods-available" / "sql").read_text()
    text = text.replace('driver = "rlm_sql_null"', 'driver = "rlm_sql_sqlite"')
    return text.replace("/tmp/freeradius.db", str(database))


LDAP_EDIT = take_out(VPN, "ldap")
SQL_EDIT = {**take_out(VPN, "sql"), **take_out(WIFI, "sql"),
            **take_out(MODULE, "sql_map devtrust_sql_groups {")}


def named(name: str) -> str:
    """The distinguished name of a group."""
    return f"cn={directory.escaped(name)},{directory.BASE}"


@pytest.fixture(scope="module")
def slapd() -> Iterator[Ldap]:
    groups = {name: (70000 + i, members) for i, (name, members) in enumerate(GROUPS.items())}
    groups |= {f"crowd {i} of a company": (71000 + i, ["dtcrowd"]) for i in range(CROWD)}
    groups |= {f"over {i}": (75000 + i, ["dtover"]) for i in range(directory.SIZE_LIMIT + 1)}
    groups |= {f"many {i}": (73000 + i, ["dtmany"]) for i in range(70)}
    by_name = (f"dn: {named('dn-only')}\nobjectClass: groupOfNames\ncn: dn-only\n"
               f"member: uid=dtname,{directory.BASE}\n")
    people = {name: 62100 + i for i, name in enumerate(PEOPLE)}
    member_of = {"dtmany": [named(f"many {i}") for i in range(70)] + [named("contractors")],
                 "dtstaff": [named("staff")], "dtcon": [named("contractors")]}
    with Ldap(people, groups, password=rad.PASSWORD, entries=[by_name],
              member_of=member_of) as made:
        made.start()
        yield made


PLAIN_PORT = rad.free_port()
LISTEN = {"server devtrust-ikev2 {\n": "server devtrust-ikev2 {\n\tlisten {\n\t\ttype = auth\n"
          f"\t\tipaddr = 127.0.0.1\n\t\tport = {PLAIN_PORT}\n\t}}\n"}


def start(directory_: Path, pki: Mapping[str, Any], replace: Mapping[str, str],
          modules: Mapping[str, str], prepare: Optional[Any] = None,
          listen: Mapping[str, str] = {}) -> Any:
    return rad.start_world(directory_, pki, replace={**replace, **NO_FILES, **listen},
                           modules=modules,
                           settings={"mfa": {"wait_vpn": "8s", "wait_wifi": "8s"}},
                           prepare=prepare, policies=[policy("vpn"), policy("wifi")])


@pytest.fixture(scope="module")
def by_ldap(tmp_path_factory: pytest.TempPathFactory, pki_index: dict[str, Any],
            slapd: Ldap) -> Iterator[World]:
    module = stock_ldap(slapd.url, **{"filter = '(objectClass=posixGroup)'":
                                      "filter = '(|(objectClass=posixGroup)"
                                      "(objectClass=groupOfNames))'"})
    with start(tmp_path_factory.mktemp("by-ldap"), pki_index, LDAP_EDIT,
               {"ldap": module}, listen=LISTEN) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


# --- what people come to -------------------------------------------------------------------------

RULES = [("dtcon", "Denied"), ("dtcomma", "Denied"), ("dtutf", "Denied"), ("dttwice", "Denied"),
         ("dtnested", "Denied"), ("dtasked", "Asked"), ("dtcrowd", "Asked"), ("dtstaff", "Free"),
         ("dtnone", "Free")]
CAUSES = {"Denied": "RULE_DENY", "Asked": "MFA_SUCCESS", "Free": "RULE_ALLOW"}
TUNNELS: dict[str, Callable[..., rad.Eap]] = {"ttls": rad.eap_ttls, "peap": rad.eap_peap}
IN_TUNNELS = [(method, user, rule) for method in TUNNELS
              for user, rule in (("dtcon", "Denied"), ("dtasked", "Asked"), ("dtnone", "Free"))]


def is_decided(world: World, user: str, rule: str) -> None:
    """Signs on at the VPN, and that rule decides."""
    world.person(user, PUSH, push="approve")
    count = len(world.outcomes(user, CAUSES[rule])) + 1
    reply = world.client().login(user)
    assert reply.code == (REJECT if rule == "Denied" else ACCEPT), str(reply)
    assert world.outcome(user, CAUSES[rule], count)["rule"] == rule


def is_decided_in(world: World, method: str, user: str, rule: str) -> None:
    """The same, in a tunnel at an access point."""
    world.person(user, PUSH, push="approve")
    count = len(world.outcomes(user, CAUSES[rule])) + 1
    end = TUNNELS[method](world.radius, user, rad.PASSWORD)
    assert end.success == (rule != "Denied"), end.output[-2000:]
    assert world.outcome(user, CAUSES[rule], count)["rule"] == rule


def is_unknown(world: World, user: str, login: str = "") -> None:
    """Nobody is let in, and nobody's phone rings, while groups are not known."""
    world.person(user, PUSH, push="approve")
    count = len(world.outcomes(user, "GROUPS_UNKNOWN")) + 1
    assert world.client().login(login or user).code == REJECT
    assert "groups" in world.outcome(user, "GROUPS_UNKNOWN", count)["detail"]
    assert not world.sim.pushes(user + "@example.com")


def asks_for_a_passcode(world: World) -> None:
    user = world.person("dtcode", TOTP)
    first = world.client().login(user)
    assert first.code == CHALLENGE, str(first)
    assert world.client().login(user, world.passcode(user), first.state).code == ACCEPT
    assert world.outcome(user, "MFA_SUCCESS")["rule"] == "Asked"


def lets_no_stranger_in(world: World, user: str, password: str) -> None:
    world.person(user, PUSH, push="approve")
    assert world.client().login(user, password).code == REJECT
    assert not world.sim.pushes(user + "@example.com")


# --- what the virtual server says of a directory -------------------------------------------------

SAYS = """if (&User-Name == "says-none") {
                update control {
                    &DevTrust-Directory := "hr"
                }
            }
            elsif (&User-Name == "says-failed") {
                update control {
                    &DevTrust-Group += "staff"
                    &DevTrust-Directory := ""
                }
            }
            elsif (&User-Name == "says-half") {
                update control {
                    &DevTrust-Directory += "hr"
                    &DevTrust-Directory += ""
                }
            }
            elsif (&User-Name == "says-empty") {
                update control {
                    &DevTrust-Group := "%{control:Tmp-String-0[*]}"
                }
            }
            elsif (&User-Name == "says-elsewhere") {
                update request {
                    &DevTrust-Directory := "hr"
                }
                update reply {
                    &DevTrust-Directory := "hr"
                }
            }
            elsif (&User-Name =~ /^says-in-(.*)$/) {
                update control {
                    &DevTrust-Group += "%{1}"
                }
            }
            files
            pap"""


@pytest.fixture(scope="module")
def says(tmp_path_factory: pytest.TempPathFactory,
         pki_index: dict[str, Any]) -> Iterator[World]:
    with rad.start_world(tmp_path_factory.mktemp("says"), pki_index,
                         replace={"\t\t\tfiles\n\t\t\tpap": SAYS},
                         policies=[policy("vpn"), policy("wifi")]) as made:
        yield made


@pytest.mark.parametrize("user,rule", [("says-none", "Free"), ("says-in-staff", "Free"),
                                       ("says-in-contractors", "Denied")])
def test_directory_that_answered(says: World, user: str, rule: str) -> None:
    is_decided(says, user, rule)


@pytest.mark.parametrize("user", ["says-nothing", "says-failed", "says-half", "says-empty",
                                  "says-elsewhere"])
def test_directory_that_did_not_answer(says: World, user: str) -> None:
    """Not asked, one of two failed, an expansion that came to nothing, said in another list."""
    is_unknown(says, user)


# --- LDAP ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("user,rule", RULES + [("dtname", "Denied"), ("dtmany", "Denied")])
def test_ldap(by_ldap: World, user: str, rule: str) -> None:
    """Names with blanks, commas and letters beyond ASCII; two groups of which one is denied; a
    group within a group; a thousand groups; memberUid and member; a person in no group."""
    is_decided(by_ldap, user, rule)


def test_ldap_then_a_passcode(by_ldap: World) -> None:
    asks_for_a_passcode(by_ldap)


@pytest.mark.parametrize("user,password", [("dtwrong", rad.PASSWORD), ("dtcode", "wrong")])
def test_ldap_stranger(by_ldap: World, user: str, password: str) -> None:
    lets_no_stranger_in(by_ldap, user, password)


@pytest.mark.parametrize("method,user,rule", IN_TUNNELS)
def test_ldap_in_a_tunnel(by_ldap: World, method: str, user: str, rule: str) -> None:
    is_decided_in(by_ldap, method, user, rule)


@pytest.mark.parametrize("user,rule", [("dtcon", "Denied"), ("dtasked", "Asked"),
                                       ("dtnone", "Free")])
def test_ldap_by_eap_without_a_tunnel(by_ldap: World, user: str, rule: str) -> None:
    by_ldap.person(user, PUSH, push="approve")
    count = len(by_ldap.outcomes(user, CAUSES[rule])) + 1
    network = rad.plain_network(by_ldap.radius, "MSCHAPV2", user, rad.PASSWORD)
    end = rad.eapol_test(by_ldap.radius, network, port=PLAIN_PORT)
    assert end.success == (rule != "Denied"), end.output[-2000:]
    assert by_ldap.outcome(user, CAUSES[rule], count)["rule"] == rule


@pytest.mark.parametrize("typed", ["DTCON", "Dtcon"])
def test_ldap_other_case(by_ldap: World, typed: str) -> None:
    """The directory finds people in any case, and so it has to find their groups."""
    by_ldap.person("dtcon")
    assert by_ldap.client().login(typed).code == REJECT
    assert by_ldap.outcome("dtcon", "RULE_DENY")["rule"] == "Denied"


@pytest.mark.parametrize("typed", ["dtcon ", " dtcon",
                                   "\uff44\uff54\uff43\uff4f\uff4e",
                                   "dt\u00adcon", "*", "dtco*", "dtcon)(uid=*"])
def test_ldap_other_form(by_ldap: World, typed: str) -> None:
    """The directory finds people by forms of their name that no group has, too: not in."""
    assert by_ldap.client().login(typed).code == REJECT


def test_ldap_answer_that_is_cut(by_ldap: World) -> None:
    """slapd ends an answer at its sizelimit: no part of it counts."""
    lets_no_stranger_in(by_ldap, "dtover", rad.PASSWORD)
    assert not by_ldap.outcomes("dtover")


def test_ldap_reads_no_groups(tmp_path: Path, pki_index: dict[str, Any], slapd: Ldap) -> None:
    """The site's edit without the module's: nobody is in none because nothing was read."""
    module = stock_ldap(slapd.url, **{"cacheable_name = 'yes'": "cacheable_name = 'no'"})
    with start(tmp_path, pki_index, LDAP_EDIT, {"ldap": module}) as world:
        for user in ("dtcon", "dtnone"):
            is_unknown(world, user)
        assert "cacheable_name = 'yes'" in world.radius.log_text()


@pytest.mark.parametrize("user,rule", [("dtmany", ""), ("dtcon", "Denied"), ("dtstaff", "Free")])
@pytest.mark.parametrize("kind", ["ldap {", "ldap corp {"])
def test_ldap_of_the_entry(tmp_path: Path, pki_index: dict[str, Any], slapd: Ldap, user: str,
                           rule: str, kind: str) -> None:
    """Of memberOf ldap reads 64 groups, and says nothing of the 65th: whoever has as many may be in
    any. The log says what to set."""
    module = stock_ldap(slapd.url, **{
        "#\t\tmembership_attribute": "\t\tmembership_attribute",
        "\t\tmembership_filter = \"(|(member=": "#\t\tmembership_filter = \"(|(member=",
        "ldap {\n\t#  Note": kind + "\n\t#  Note"})
    edit = {old: new if kind == "ldap {" else new.replace("ldap\n", "corp\n").replace(
        "control:LDAP", "control:corp-LDAP").replace('"ldap"', '"corp"')
        for old, new in LDAP_EDIT.items()}
    with start(tmp_path, pki_index, edit, {"ldap": module}) as world:
        if rule:
            is_decided(world, user, rule)
        else:
            is_unknown(world, user)
            assert "membership_filter" in world.radius.log_text()


def test_ldap_by_distinguished_name(tmp_path: Path, pki_index: dict[str, Any],
                                    slapd: Ldap) -> None:
    module = stock_ldap(slapd.url, **{"cacheable_name = 'yes'": "cacheable_dn = 'yes'"})
    whole = policy("vpn")
    whole["rules"][0]["conditions"]["people"]["groups"]["include"] = [
        named("contractors"), named("vpn, no access")]
    with rad.start_world(tmp_path, pki_index, replace={**LDAP_EDIT, **NO_FILES},
                         modules={"ldap": module}, policies=[whole, policy("wifi")]) as world:
        is_decided(world, "dtcon", "Denied")
        is_decided(world, "dtcomma", "Denied")
        is_decided(world, "dtstaff", "Free")


def test_ldap_is_down(tmp_path: Path, pki_index: dict[str, Any]) -> None:
    """Not in: neither as the sample has it, nor where the server is told to go on without it."""
    with Ldap({"dtdown": 62900}, {}, password=rad.PASSWORD) as own:
        own.start()
        goes_on = {old: new.replace("ldap\n", "ldap {\n\t\t\tfail = 1\n\t\t}\n", 1)
                   for old, new in LDAP_EDIT.items()}
        module = stock_ldap(own.url)
        with start(tmp_path / "a", pki_index, LDAP_EDIT, {"ldap": module}) as world:
            with rad.start_world(tmp_path / "b", pki_index, replace=goes_on,
                                 modules={"ldap": module},
                                 policies=[policy("vpn"), policy("wifi")]) as other:
                is_decided(world, "dtdown", "Free")
                is_decided(other, "dtdown", "Free")
                own.stop()
                lets_no_stranger_in(world, "dtdown", rad.PASSWORD)
                is_unknown(other, "dtdown")
                assert not TUNNELS["ttls"](other.radius, "dtdown", rad.PASSWORD).success


# --- SQL -----------------------------------------------------------------------------------------

class Database:
    """SQLite as Debian's schema has it, with the people of this file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run((STOCK / "mods-config/sql/main/sqlite/schema.sql").read_text())
        rows = [(user, group) for group, members in GROUPS.items() for user in members]
        rows += [("dtcrowd", f"crowd {i} of a company") for i in range(CROWD)]
        rows += [("dtmany", f"many {i}") for i in range(70)] + [("dtstaff", "staff")]
        rows += [("dtname", "dn-only"), ("o'brien", "contractors"), ("nobody-else", "contractors")]
        with sqlite3.connect(path) as store:
            store.executemany("INSERT INTO radcheck (username, attribute, op, value) VALUES "
                              "(?, 'Cleartext-Password', ':=', ?)",
                              [(user, rad.PASSWORD) for user in (*PEOPLE, "o'brien")])
            store.executemany("INSERT INTO radusergroup (username, groupname) VALUES (?, ?)", rows)

    def run(self, script: str) -> None:
        with sqlite3.connect(self.path, timeout=30) as store:
            store.executescript(script)


@contextlib.contextmanager
def sql_world(where: Path, pki: Mapping[str, Any], edit: Mapping[str, str]) -> Iterator[World]:
    def prepare(_: sites.Site) -> None:
        (where / "raddb" / "mods-config").mkdir(parents=True)
        (where / "raddb" / "mods-config" / "sql").symlink_to(STOCK / "mods-config" / "sql")

    where.mkdir(exist_ok=True)
    database = Database(where / "people.db")
    with start(where, pki, edit, {
            "sql": stock_sql(database.path), "expr": "expr {\n}\n"}, prepare) as made:
        made.database = database  # type: ignore[attr-defined]
        yield made
        assert made.radius.is_running(), made.radius.log_text()


@pytest.fixture(scope="module")
def by_sql(tmp_path_factory: pytest.TempPathFactory,
           pki_index: dict[str, Any]) -> Iterator[World]:
    with sql_world(tmp_path_factory.mktemp("by-sql"), pki_index, SQL_EDIT) as made:
        yield made


@pytest.mark.parametrize("user,rule", RULES + [("dtname", "Denied"), ("dtmany", "Denied")])
def test_sql(by_sql: World, user: str, rule: str) -> None:
    """The same people, with their groups in radusergroup."""
    is_decided(by_sql, user, rule)


def test_sql_then_a_passcode(by_sql: World) -> None:
    asks_for_a_passcode(by_sql)


@pytest.mark.parametrize("user,password", [("dtwrong", rad.PASSWORD), ("dtcode", "wrong"),
                                           ("nobody-else", rad.PASSWORD)])
def test_sql_stranger(by_sql: World, user: str, password: str) -> None:
    lets_no_stranger_in(by_sql, user, password)


@pytest.mark.parametrize("method,user,rule", IN_TUNNELS)
def test_sql_in_a_tunnel(by_sql: World, method: str, user: str, rule: str) -> None:
    is_decided_in(by_sql, method, user, rule)


@pytest.mark.parametrize("typed", ["DTCON", "dtcon ", "dtcon' OR '1'='1", "x' UNION SELECT 'y"])
def test_sql_other_form(by_sql: World, typed: str) -> None:
    """Who is found by the password is found by the groups, and nobody else."""
    assert by_sql.client().login(typed).code == REJECT


def test_sql_asked_for_passwords_only(tmp_path: Path, pki_index: dict[str, Any]) -> None:
    """Whoever uses "sql" without what reads the groups has nobody in none."""
    edit = {old: new.replace("devtrust_sql_groups\n", "ok\n") for old, new in SQL_EDIT.items()}
    with sql_world(tmp_path, pki_index, edit) as world:
        for user in ("dtcon", "dtnone"):
            is_unknown(world, user)


def test_sql_is_down(tmp_path: Path, pki_index: dict[str, Any]) -> None:
    """The table of groups is gone, then that of people: not in. Not in, either, where the server is
    told to go on without the groups, or where the answer does not come to its end."""
    goes_on = {old: new.replace("devtrust_sql_groups\n",
                                "devtrust_sql_groups {\n fail = 1\n }\n")
               for old, new in SQL_EDIT.items()}
    with sql_world(tmp_path / "a", pki_index, SQL_EDIT) as world:
        is_decided(world, "dtnone", "Free")
        world.database.run("ALTER TABLE radusergroup RENAME TO gone")  # type: ignore
        lets_no_stranger_in(world, "dtnone", rad.PASSWORD)
        world.database.run("ALTER TABLE radcheck RENAME TO gone_too")  # type: ignore
        lets_no_stranger_in(world, "dtnone", rad.PASSWORD)
    with sql_world(tmp_path / "b", pki_index, goes_on) as world:
        is_decided(world, "dtnone", "Free")
        world.database.run("ALTER TABLE radusergroup RENAME TO gone")  # type: ignore
        # rlm_sql itself reads groups, of a table that the test leaves it.
        world.database.run("CREATE VIEW radusergroup AS SELECT username, "  # type: ignore
                           "CASE WHEN groupname = 'x' THEN abs(-9223372036854775808) "
                           "ELSE groupname END AS groupname, priority FROM gone; "
                           "INSERT INTO gone (username, groupname) VALUES ('dtstaff', 'x')")
        is_decided(world, "dtnone", "Free")
        assert world.client().login("dtstaff").code == REJECT


@pytest.mark.parametrize("kind", ["by_ldap", "by_sql"])
def test_no_warning_after_the_edit(kind: str, request: pytest.FixtureRequest) -> None:
    log = request.getfixturevalue(kind).radius.log_text().split("Ready to process requests")[0]
    assert [line for line in log.splitlines() if "Warning" in line or "Error" in line] == []
