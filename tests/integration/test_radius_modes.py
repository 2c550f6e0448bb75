# SPDX-License-Identifier: GPL-2.0-or-later
# The settings of the module that the samples leave at another value: wait = challenge, wait = park,
# a passcode that comes along with the password, groups, a State that has expired.
"""FreeRADIUS with rlm_devtrust: its settings."""

from __future__ import annotations

import json
import re
import time
from typing import Any, Iterator

import pytest

from tests.lib import radius as rad
from tests.lib import site as sites
from tests.lib.radius import ACCEPT, CHALLENGE, REJECT, World

PUSH, TOTP = "push", "token:software:totp"
SETTINGS = {"mfa": {"wait_vpn": "8s", "challenge_lifetime": "10s"}}
# Two that Okta would take for a passcode, and one that it would not; for names that begin so.
PASSWORDS = {"digits": "12345678", "spaced": "1234 5678", "words": "four words"}
USERS = "".join(f'DEFAULT User-Name =~ "^same{name}", Cleartext-Password := "{password}"\n\n'
                for name, password in PASSWORDS.items())


@pytest.fixture(scope="module")
def challenge(tmp_path_factory: pytest.TempPathFactory,
              pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("challenge")
    with rad.start_world(directory, pki_index, settings=SETTINGS, users_text=USERS,
                         replace={"wait = hybrid": "wait = challenge"}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


# The virtual server takes "password,123456" apart and brings the groups of the person.
SPLIT = """files
            if (&User-Password =~ /^(.*),([0-9]{6})$/) {
                update request {
                    &User-Password := "%{1}"
                    &DevTrust-Passcode := "%{2}"
                }
            }
            if (&User-Name =~ /^staff/) {
                update control {
                    &DevTrust-Group += "Staff"
                    &DevTrust-Group += "Everyone"
                }
            }
            elsif (&User-Name =~ /^crowd/) {
                CROWD
                update control {
                    &DevTrust-Group += "Staff"
                }
            }
            elsif (&User-Name =~ /^guest/) {
                update control {
                    &DevTrust-Group += "Guests"
                }
            }
            pap
"""


def crowd() -> str:
    """A person in a thousand groups; an update section has room for 128 lines."""
    names = [f"CN=team {i:04} {'of a department ' * 4}" for i in range(999)] + ["CN=" + "y" * 300]
    blocks = [names[i:i + 100] for i in range(0, len(names), 100)]
    lines = ["\n".join(f'&DevTrust-Group += "{name}"' for name in block) for block in blocks]
    return "\n".join("update control {\n" + block + "\n}" for block in lines)


SPLIT = SPLIT.replace("CROWD", crowd())


def group_policy() -> dict[str, Any]:
    """Staff by MFA; guests never; who is in no known group is in neither."""
    people = {"groups": {"include": ["Staff"], "exclude": []}}
    return {"name": "vpn", "application": "vpn", "rules": [
        sites.rule("Staff by MFA", 1, frequency="EVERY_SIGN_ON", people=people),
        sites.catch_all()]}


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory,
         pki_index: dict[str, Any]) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("park")
    policies = [group_policy(), sites.guide_policy("wifi")]
    with rad.start_world(directory, pki_index, settings=SETTINGS, policies=policies, replace={
            "wait = hybrid": "wait = park",
            "files\n\t\t\tpap\n": SPLIT + "\n"}) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


# --- wait = challenge ----------------------------------------------------------------------------

def test_push_is_asked_for_by_challenge(challenge: World) -> None:
    user = challenge.person("carol", PUSH, push="manual")
    reply = challenge.client().login(user)
    assert reply.code == CHALLENGE and reply.elapsed < 4.0, reply
    assert "enter" in reply.message.lower()
    challenge.sim.approve(user + "@example.com")
    done = challenge.client().login(user, "", reply.state)
    assert done.code == ACCEPT, done
    assert challenge.outcome(user, "MFA_SUCCESS")["factor"] == PUSH
    assert len(challenge.sim.pushes(user + "@example.com")) == 1


def answer_by(world: World, user: str, state: bytes, *more: tuple[str, bytes]) -> rad.Reply:
    """An answer with these attributes alone."""
    client = world.client()
    named: list[tuple[str, Any]] = [("User-Name", user), ("State", state), *more]
    return client.request([*named, *client.defaults.items()]).send().wait()  # type: ignore


EMPTY = ("Bare-User-Password", b"")  # as radcli sends Enter


def test_enter_without_a_byte(challenge: World) -> None:
    user = challenge.person("greta", PUSH, push="manual")
    reply = challenge.client().login(user)
    challenge.sim.approve(user + "@example.com")
    assert answer_by(challenge, user, reply.state, EMPTY).code == ACCEPT
    assert challenge.outcome(user, "MFA_SUCCESS")["factor"] == PUSH


def test_enter_without_a_byte_before_the_approval(challenge: World) -> None:
    user = challenge.person("gero", PUSH, push="manual")
    reply = challenge.client().login(user)
    assert answer_by(challenge, user, reply.state, EMPTY).code != ACCEPT
    assert not challenge.outcomes(user, "MFA_SUCCESS")


@pytest.mark.parametrize("more", [[], [("MS-CHAP2-Response", bytes(50))],
                                  [("CHAP-Password", bytes(17))]])
def test_answer_without_a_user_password(challenge: World, more: list[tuple[str, bytes]]) -> None:
    """It is no Enter, even where the push was approved."""
    user = challenge.person(f"hidden-{more[0][0][:2].lower() if more else 'none'}", PUSH,
                            push="manual")
    reply = challenge.client().login(user)
    challenge.sim.approve(user + "@example.com")
    assert answer_by(challenge, user, reply.state, *more).code == REJECT
    challenge.outcome(user, "STATE_INVALID")


def test_state_is_without_a_nul(challenge: World) -> None:
    """radcli cuts it off there."""
    user = challenge.person("henry", TOTP)
    for _ in range(60):
        assert b"\0" not in challenge.client().login(user).state


def test_enter_before_the_approval(challenge: World) -> None:
    """Whoever presses Enter too early is asked again, or waited for; never let in."""
    user = challenge.person("ellen", PUSH, push="manual")
    reply = challenge.client().login(user)
    assert reply.code == CHALLENGE, reply
    pending = challenge.client().start(user, "", reply.state)
    early = pending.poll(1.5)
    assert early is None or early.code == CHALLENGE
    challenge.sim.approve(user + "@example.com")
    last = pending.wait() if early is None else challenge.client().login(user, "", early.state)
    for _ in range(3):
        if last.code == CHALLENGE:
            last = challenge.client().login(user, "", last.state)
    assert last.code == ACCEPT, last
    assert len(challenge.sim.pushes(user + "@example.com")) == 1


def test_push_denied_by_challenge(challenge: World) -> None:
    user = challenge.person("denis", PUSH, push="manual")
    reply = challenge.client().login(user)
    challenge.sim.deny(user + "@example.com")
    done = challenge.client().login(user, "", reply.state)
    assert done.code == REJECT, done
    challenge.outcome(user, "MFA_REJECTED")


@pytest.mark.parametrize("separator", [" ", "-", "\N{NO-BREAK SPACE}", "\N{EN DASH}"])
def test_passcode_as_people_type_it(challenge: World, separator: str) -> None:
    user = challenge.person(f"petra{ord(separator)}", PUSH, TOTP, push="ignore")
    reply = challenge.client().login(user)
    code = challenge.passcode(user)
    done = challenge.client().login(user, f"{code[:3]}{separator}{code[3:]}", reply.state)
    assert done.code == ACCEPT, done
    assert challenge.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


def test_text_at_a_push_is_neither_enter_nor_a_guess(challenge: World) -> None:
    user = challenge.person("percy", PUSH, TOTP, push="ignore")
    reply = challenge.client().login(user)
    for _ in range(3):  # as often as passcode_attempts
        reply = challenge.client().login(user, "approved", reply.state)
        assert reply.code == CHALLENGE and "That is not a passcode" in reply.message, reply
    done = challenge.client().login(user, challenge.passcode(user), reply.state)
    assert done.code == ACCEPT, done


# --- an answer that is the password ---------------------------------------------------------------

def with_password(world: World, name: str, *factors: str, **more: Any) -> tuple[str, str]:
    """A person whose password Okta would take for a passcode, or not."""
    return world.person("same" + name, *factors, **more), PASSWORDS[name.rstrip("0123456789")]


@pytest.mark.parametrize("shape", ["{}", " {}", "{} "])
@pytest.mark.parametrize("name", PASSWORDS)
def test_password_as_the_answer_is_enter(challenge: World, name: str, shape: str) -> None:
    """Clients that keep the password answer each challenge with it: Okta gets no passcode."""
    user, password = with_password(challenge, f"{name}{len(shape)}{ord(shape[0])}", PUSH, TOTP,
                                   push="manual")
    verified = challenge.sim.count("okta.verify")
    reply = challenge.client().login(user, password)
    assert reply.code == CHALLENGE, reply
    for _ in range(2):
        pending = challenge.client().start(user, shape.format(password), reply.state)
        early = pending.poll(1.0)
        if early is None:
            break
        assert early.code == CHALLENGE, early
        reply = early
    challenge.sim.approve(user + "@example.com")
    if early is None:
        last = pending.wait()
    else:
        last = challenge.client().login(user, password, reply.state)
    assert last.code == ACCEPT, last
    assert challenge.outcome(user, "MFA_SUCCESS")["factor"] == PUSH
    assert challenge.sim.count("okta.verify") - verified == 1, "more than the push was sent"


@pytest.mark.parametrize("answer", ["12345678", "1234 5678", "1234-5678 "])
def test_password_as_the_answer_is_no_guess(challenge: World, answer: str) -> None:
    """Also of those that have no push, in each round, however it is typed."""
    user, password = with_password(challenge, f"digits{len(answer)}0{ord(answer[4])}", TOTP)
    verified = challenge.sim.count("okta.verify")
    reply = challenge.client().login(user, password)
    assert reply.code == CHALLENGE, reply
    reply = challenge.client().login(user, answer, reply.state)
    assert reply.code == CHALLENGE and "not a passcode" in reply.message, reply
    assert challenge.sim.count("okta.verify") == verified
    wrong = challenge.client().login(user, "12345679", reply.state)
    assert challenge.sim.count("okta.verify") == verified + 1, "nothing is shown"
    assert wrong.code == CHALLENGE, wrong
    last = challenge.client().login(user, answer, wrong.state)  # of three attempts
    assert challenge.sim.count("okta.verify") == verified + 1
    assert last.code == REJECT, last
    reply = challenge.client().login(user, password)
    reply = challenge.client().login(user, answer, reply.state)
    done = challenge.client().login(user, challenge.passcode(user), reply.state)
    assert done.code == ACCEPT, done


def test_passcode_while_the_push_is_pending(challenge: World) -> None:
    user = challenge.person("peggy", PUSH, TOTP, push="ignore")
    reply = challenge.client().login(user)
    assert reply.code == CHALLENGE, reply
    done = challenge.client().login(user, challenge.passcode(user), reply.state)
    assert done.code == ACCEPT, done
    assert challenge.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


def test_number_challenge_is_shown(challenge: World) -> None:
    challenge.sim.org(force_number_challenge=True)
    try:
        user = challenge.person("numa", PUSH, push="manual")
        reply = challenge.client().login(user)
        assert reply.code == CHALLENGE, reply
        number = re.search(r"\b(\d{1,2})\b", reply.message)
        assert number, reply.message
        push = challenge.sim.wait_push(user + "@example.com")[0]
        assert str(push["number"]) == number.group(1)
        challenge.sim.approve(user + "@example.com", number=int(number.group(1)))
        assert challenge.client().login(user, "", reply.state).code == ACCEPT
    finally:
        challenge.sim.org(force_number_challenge=False)


def test_state_expires(challenge: World) -> None:
    """An early answer is taken, a late one is not, however right."""
    user = challenge.person("ezra", TOTP)
    states = [challenge.client().login(user).state for _ in range(16)]
    early = challenge.client().login(user, "not a passcode", states.pop())
    assert early.code == CHALLENGE, early
    reply = early
    while reply.code == CHALLENGE:
        time.sleep(1.0)
        assert states, "a State never expires"
        reply = challenge.client().login(user, "not a passcode", states.pop())
    assert "expired" in challenge.outcome(user, "STATE_INVALID")["detail"]
    done = challenge.client().login(user, challenge.passcode(user), states.pop())
    assert done.code == REJECT, done
    assert not challenge.outcomes(user, "MFA_SUCCESS")


# --- wait = park ---------------------------------------------------------------------------------

def test_park_never_challenges(park: World) -> None:
    user = park.person("staff-totp", TOTP)
    reply = park.client().login(user)
    assert reply.code == REJECT, reply
    park.outcome(user, "MFA_NO_FACTOR")


def test_passcode_that_came_along(park: World) -> None:
    user = park.person("staff-along", TOTP)
    reply = park.client().login(user, f"{rad.PASSWORD},{park.passcode(user)}")
    assert reply.code == ACCEPT, reply
    assert park.outcome(user, "MFA_SUCCESS")["factor"] == TOTP


def test_wrong_passcode_that_came_along(park: World) -> None:
    user = park.person("staff-guess", TOTP)
    reply = park.client().login(user, f"{rad.PASSWORD},000000")
    assert reply.code == REJECT, reply
    assert not park.outcomes(user, "MFA_SUCCESS")


def test_right_passcode_with_a_wrong_password(park: World) -> None:
    user = park.person("staff-stolen", TOTP)
    calls = park.sim.count("okta.total")
    reply = park.client().login(user, f"guessed,{park.passcode(user)}")
    assert reply.code == REJECT, reply
    assert park.sim.count("okta.total") == calls


def test_parked_push(park: World) -> None:
    user = park.person("staff-push", PUSH, push="approve", after=0.5)
    assert park.client().login(user).code == ACCEPT


# --- groups --------------------------------------------------------------------------------------

def test_a_person_in_a_thousand_groups(park: World) -> None:
    """What counts are the groups that rules name, however many others there are, and how long."""
    user = park.person("crowd-1", PUSH, push="approve")
    assert park.client().login(user).code == ACCEPT
    assert park.outcome(user, "MFA_SUCCESS")["rule"] == "Staff by MFA"


def test_group_that_no_rule_lets_in(park: World) -> None:
    user = park.person("guest-1", PUSH, push="approve")
    assert park.client().login(user).code == REJECT
    assert park.outcome(user, "RULE_DENY")["rule"] == sites.CATCH_ALL_RULE
    assert not park.sim.pushes(user + "@example.com")


@pytest.fixture(scope="module")
def okta_groups(tmp_path_factory: pytest.TempPathFactory,
                pki_index: dict[str, Any]) -> Iterator[World]:
    """Groups are Okta's to tell, and a rule calls one by its name alone."""
    settings = {**SETTINGS, "policy": {"groups_from": "okta"}, "okta": {"user_ttl": "0"}}
    with rad.start_world(tmp_path_factory.mktemp("okta-groups"), pki_index, settings=settings,
                         policies=[group_policy(), sites.guide_policy("wifi")]) as made:
        yield made
        assert made.radius.is_running(), made.radius.log_text()


def test_a_name_that_groups_of_okta_share(okta_groups: World) -> None:
    """The group of an app lets in while it alone has the name; then only Okta's own does."""
    world, org = okta_groups, okta_groups.sim
    imported = org.add_group("Staff", "APP_GROUP")

    def enter(user: str, groups: tuple[str, ...]) -> int:
        org.set_user(user + "@example.com", groups=["Everyone", *groups])
        return world.client().login(user).code

    people = {name: world.person(name, PUSH, push="approve") for name in ("ida", "ivo", "eve")}
    assert enter("ida", (imported,)) == ACCEPT
    assert world.outcome(people["ida"], "MFA_SUCCESS")["rule"] == "Staff by MFA"
    # Somebody makes a second one in another app.
    other = org.add_group("Staff", "APP_GROUP")
    pushes = len(org.pushes())
    for user, group in (("eve", other), ("ivo", imported)):
        assert enter(user, (group,)) == REJECT
        event = world.outcome(people[user], "GROUPS_UNKNOWN")
        assert '"Staff"' in json.dumps(event).replace("\\", "") and "id" in event["detail"]
    # Okta's own is the one that is meant.
    org.group_id("Staff")
    assert enter("eve", (other,)) == REJECT
    assert len(org.pushes()) == pushes
    assert enter("ivo", ("Staff",)) == ACCEPT


def test_no_group_is_not_known(park: World) -> None:
    """A directory that did not answer looks the same: it must not pass for "in no group"."""
    user = park.person("loner", PUSH, push="approve")
    assert park.client().login(user).code == REJECT
    park.outcome(user, "GROUPS_UNKNOWN")
    assert not park.sim.pushes(user + "@example.com")
