# SPDX-License-Identifier: GPL-2.0-or-later
# The samples of conf/pam.d in the real programs of the desktop and in servers that show no prompts:
# a display manager with its greeter, screen lockers, FTP, IMAP. Each with a trusted host, and an
# untrusted one by push, by passcode, denied, with Okta and with devtrustd down.
"""Display managers, screen lockers, and servers that ask once."""

from __future__ import annotations

import contextlib
import ftplib
import imaplib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

from tests.integration.test_pam_daemon import ALICE, BOTH, cause, debug
from tests.lib.desktop import Display
from tests.lib.matrix import cell
from tests.lib.pamworld import ACCOUNTS, LIMIT, PamWorld, pam_world, wait_until
from tests.lib.ports import free_port

PASSWORD = "rosebud,plum"  # a comma is nothing special
BLIND = ("vsftpd", "dovecot", "i3lock", "swaylock")
DOORS = (*BLIND, "xsecurelock", "xscreensaver", "lightdm")
SETTINGS = {"mfa": {"wait_pam": "20s"}, "okta": {"timeout": "1s"},
            "policy": {"unknown_device_as": "not_trusted"}}
# Where the pictures go, for whoever wants to look at them.
PICTURES = os.environ.get("DEVTRUST_PICTURES")


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index, applications=DOORS, settings=SETTINGS) as made:
        for name in DOORS:
            made.sample(name, name + "-devtrust")
        made.set_password("dtalice", PASSWORD)
        yield made


def begin_anew(world: PamWorld) -> None:
    """A daemon that knows nothing, alice with push and passcode, and a host with a certificate that
    Intune does not know yet."""
    world.stop_daemon()
    world.sim.reset()
    world.sim.listener("okta")
    world.sim.add_user(ALICE, factors=BOTH)
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    files = world.pki["devices"]["host"]["files"]
    world.site.configure({"device_trust": {"host_certificate_file": files["certificate"],
                                           "host_key_file": files["key"]}})
    world.set_one()
    world.start_daemon()


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    begin_anew(world)
    yield
    world.stop_daemon()


def as_user(name: str, *command: Any) -> list[Any]:
    uid = str(ACCOUNTS[name])
    return ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", *command]


def as_alice(*command: Any) -> list[Any]:
    return as_user("dtalice", *command)


def cut_off(world: PamWorld) -> None:
    """Neither a daemon nor one that could be started."""
    world.stop_daemon()
    world.one_path.unlink()


@contextlib.contextmanager
def running(world: PamWorld, *command: Any, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A program in the world, until the block ends."""
    options.setdefault("stdout", subprocess.DEVNULL)
    process = subprocess.Popen(world.inside([str(part) for part in command]),
                               stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def keep(name: str) -> Optional[Path]:
    """Where a picture is kept, if anywhere."""
    return Path(PICTURES) / name if PICTURES else None


# --- servers that ask once -----------------------------------------------------------------------

@pytest.fixture(scope="module")
def ftp(world: PamWorld) -> Iterator[int]:
    """vsftpd; its port."""
    port = free_port()
    (world.directory / "empty").mkdir()
    (world.directory / "vsftpd.conf").write_text(f"""listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
local_enable=YES
anonymous_enable=NO
pam_service_name=vsftpd
secure_chroot_dir={world.directory}/empty
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
session_support=NO
""")
    with running(world, "/usr/sbin/vsftpd", world.directory / "vsftpd.conf"):
        yield port


@pytest.fixture(scope="module")
def imap(world: PamWorld) -> Iterator[int]:
    """Dovecot; its port."""
    port = free_port()
    here = world.directory / "dovecot"
    (here / "mail").mkdir(parents=True)
    os.chown(here / "mail", 61001, 61001)
    (here / "conf").write_text(f"""protocols = imap
listen = 127.0.0.1
base_dir = {here}/run
state_dir = {here}/state
log_path = {here}/log
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{here}/mail
passdb {{
  driver = pam
  args = session=yes failure_show_msg=yes dovecot
}}
userdb {{
  driver = passwd
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
""")
    with running(world, "/usr/sbin/dovecot", "-F", "-c", here / "conf"):
        yield port


def patiently(connect: Callable[[], Any]) -> Any:
    """The connection, once the server listens."""
    def attempt() -> Any:
        try:
            return connect()
        except OSError:
            return None

    return wait_until(attempt, "the server listens")


def by_ftp(port: int, typed: str) -> bool:
    def connect() -> ftplib.FTP:
        made = ftplib.FTP()
        made.connect("127.0.0.1", port, timeout=LIMIT)
        return made

    with contextlib.closing(patiently(connect)) as client:
        try:
            return client.login("dtalice", typed).startswith("230")
        except ftplib.error_perm:
            return False


def by_imap(port: int, typed: str) -> bool:
    client = patiently(lambda: imaplib.IMAP4("127.0.0.1", port, timeout=LIMIT))
    try:
        quoted = typed.replace("\\", "\\\\").replace('"', '\\"')
        return client.login("dtalice", quoted)[0] == "OK"
    except imaplib.IMAP4.error:
        return False
    finally:
        client.shutdown()


REFUSED_BY_A_LOCKER = ("Authentication failure", "pam_authenticate failed")


def by_i3lock(world: PamWorld, typed: str) -> bool:
    path = world.directory / "i3lock.log"
    with Display() as display, open(path, "wb") as log, \
            running(world, *as_alice("i3lock", "-n", "--debug", "-c", "204060"),
                    env=display.environment(), stdout=log) as locker:
        blank = display.wait_for(lambda seen: seen.pixels[0] != 0, "the screen is locked")

        def hears() -> bool:
            display.press("BackSpace")
            return display.picture() != blank

        # It draws before it has the keyboard: what is typed too early is lost.
        wait_until(hears, "the keyboard is i3lock's")
        display.type(typed)
        return ends_or_refuses(world, locker, path)


def by_swaylock(world: PamWorld, typed: str) -> bool:
    """Under sway, which needs no screen; wtype is the keyboard, and types as a person would: a new
    keymap takes its time to arrive."""
    with tempfile.TemporaryDirectory(prefix="devtrust-way-") as made:
        os.chown(made, ACCOUNTS["dtalice"], ACCOUNTS["dtalice"])
        (Path(made) / "conf").write_text("xwayland disable\n")
        os.chmod(Path(made) / "conf", 0o644)
        env = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": made, "HOME": made,
               "LC_ALL": "C.UTF-8", "WLR_BACKENDS": "headless", "WLR_LIBINPUT_NO_DEVICES": "1",
               "WLR_RENDERER": "pixman"}
        with running(world, *as_alice("sway", "-c", f"{made}/conf"), env=env):
            found = wait_until(lambda: [path.name for path in Path(made).glob("wayland-*")
                                        if path.suffix != ".lock"], "sway")
            env["WAYLAND_DISPLAY"] = found[0]
            with open(Path(made) / "log", "wb") as log, \
                    running(world, *as_alice("swaylock", "-d"), env=env, stdout=log) as locker:
                wait_until(lambda: "Using " in (Path(made) / "log").read_text(), "it is locked")
                done = world.run(as_alice("wtype", "-s", "1000", "-d", "100", typed, "-s", "500",
                                          "-k", "Return"), env=env)
                assert done.returncode == 0, done.stderr
                return ends_or_refuses(world, locker, Path(made) / "log")


def ends_or_refuses(world: PamWorld, locker: "subprocess.Popen[bytes]", log: Path) -> bool:
    """Whether the locker opens the screen; it goes on when it does not, and says so in its log."""
    def refused() -> bool:
        events = world.site.sign_ons()
        return (any(words in log.read_text(errors="replace") for words in REFUSED_BY_A_LOCKER)
                or bool(events) and events[-1]["outcome"]["result"] not in ("ALLOW", "SUCCESS"))

    wait_until(lambda: locker.poll() is not None or refused(), "the screen opens, or stays locked")
    return locker.poll() == 0


@pytest.fixture
def blind(world: PamWorld, request: pytest.FixtureRequest) -> Callable[[str, str], bool]:
    """Whether a program lets in whoever types this."""
    def attempt(program: str, typed: str) -> bool:
        if program == "i3lock":
            return by_i3lock(world, typed)
        if program == "swaylock":
            return by_swaylock(world, typed)
        port = request.getfixturevalue({"vsftpd": "ftp", "dovecot": "imap"}[program])
        return (by_ftp if program == "vsftpd" else by_imap)(port, typed)

    return attempt


def each(programs: Any, case: str, short: tuple[str, ...] = ()) -> Any:
    return pytest.mark.parametrize("program", [
        pytest.param(name, marks=cell("pam", name, case, whole=name not in short))
        for name in programs])


@each(BLIND, "push", short=("vsftpd", "dovecot", "i3lock"))
def test_push_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    """The phone shows no number that nobody could see; the password is no passcode."""
    world.sim.set_push(ALICE, "approve", after=0.5)
    assert blind(program, PASSWORD)
    assert [push["number"] for push in world.sim.pushes()] == [None]
    assert world.sim.count("okta.verify") == 1
    assert cause(world.outcome(program)) == "MFA_SUCCESS"


@each(BLIND, "passcode")
def test_passcode_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    assert blind(program, f"{PASSWORD},{world.sim.passcode(ALICE)}")
    assert debug(world.outcome(program))["factor"] == "token:software:totp"
    assert not world.sim.pushes()


@each(BLIND, "denied")
def test_denied_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    world.sim.set_push(ALICE, "deny", after=0.5)
    assert not blind(program, PASSWORD)
    assert cause(world.outcome(program)) == "MFA_REJECTED"


@each(BLIND, "number forced")
def test_forced_number_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    world.sim.org(force_number_challenge=True)
    assert not blind(program, PASSWORD)
    assert cause(world.outcome(program)) == "MFA_NO_FACTOR"
    wait_until(lambda: world.sim.count("okta.cancel") == 1, "the push is taken back")


@each(BLIND, "okta down")
def test_okta_down_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    world.sim.listener("okta", "down")
    assert not blind(program, PASSWORD)
    assert cause(world.outcome(program)) == "OKTA_UNAVAILABLE"


@each(BLIND, "daemon down")
def test_daemon_down_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    cut_off(world)
    assert not blind(program, PASSWORD)
    assert not world.site.sign_ons() and not world.sim.pushes()


@each(("i3lock", "swaylock"), "trusted", short=("i3lock",))
def test_trusted_without_prompts(world: PamWorld, blind: Any, program: str) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    assert blind(program, PASSWORD)
    assert cause(world.outcome(program)) == "RULE_ALLOW" and not world.sim.pushes()


# --- a screen locker that shows prompts ----------------------------------------------------------

def margins(box: Any, display: Display) -> bool:
    """Nothing runs off the screen: there is room left and right of what is drawn."""
    return box is not None and box[0] > 0 and box[2] < display.width - 1


class Xsecurelock:
    """xsecurelock, which draws what PAM says on a black screen."""

    def __init__(self, world: PamWorld) -> None:
        self.world = world

    def __enter__(self) -> "Xsecurelock":
        self.stack = contextlib.ExitStack()
        self.display = self.stack.enter_context(Display())
        self.locker = self.stack.enter_context(running(
            self.world, *as_alice("xsecurelock"), env=self.display.environment(
                XSECURELOCK_PAM_SERVICE="xsecurelock", XSECURELOCK_SAVER="saver_blank",
                XSECURELOCK_BLANK_TIMEOUT="-1", XSECURELOCK_SHOW_KEYBOARD_LAYOUT="0")))
        self.ask()
        return self

    def __exit__(self, *error: Any) -> None:
        self.stack.close()

    def ask(self) -> None:
        """Any key brings up the dialogue, which the first presses may come too early for."""
        def shown() -> Any:
            if self.display.picture().ink() is not None:
                return True
            self.display.press("Shift_L")
            return False

        wait_until(shown, "the password is asked for")
        self.password_prompt = self.box()

    def box(self) -> Any:
        """Where the prompt's line is drawn, without the line that moves below it."""
        seen = self.display.picture()
        top = seen.ink()
        if top is None:
            return None
        cut = seen.height // 2 - 10
        return type(seen)(seen.width, cut, seen.pixels[:seen.width * cut]).ink()

    def wait_for_prompt(self, name: str) -> Any:
        """The box of a wider text than that of the password's prompt."""
        def wider() -> Any:
            box = self.box()
            return box if box is not None and box[2] - box[0] > 500 else None

        box = wait_until(wider, "the number is on the screen")
        self.display.picture(keep(name))
        return box


@each(("xsecurelock",), "push", short=("xsecurelock",))
def test_push_at_a_locker(world: PamWorld, program: str) -> None:
    """The whole prompt, with its number, stands on a screen of 1024 pixels."""
    with Xsecurelock(world) as screen:
        screen.display.type(PASSWORD)
        world.sim.wait_push(ALICE)
        assert world.sim.pushes()[0]["number"] is not None
        assert margins(screen.wait_for_prompt("xsecurelock.png"), screen.display)
        world.sim.approve(ALICE)
        screen.display.type("")
        assert screen.locker.wait(LIMIT) == 0
    assert cause(world.outcome(program)) == "MFA_SUCCESS"


@each(("xsecurelock",), "passcode")
def test_passcode_at_a_locker(world: PamWorld, program: str) -> None:
    with Xsecurelock(world) as screen:
        screen.display.type(PASSWORD)
        screen.wait_for_prompt("xsecurelock-passcode.png")
        screen.display.type(world.sim.passcode(ALICE))
        assert screen.locker.wait(LIMIT) == 0
    assert debug(world.outcome(program))["factor"] == "token:software:totp"


@each(("xsecurelock",), "trusted", short=("xsecurelock",))
def test_trusted_at_a_locker(world: PamWorld, program: str) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    with Xsecurelock(world) as screen:
        screen.display.type(PASSWORD)
        assert screen.locker.wait(LIMIT) == 0
    assert cause(world.outcome(program)) == "RULE_ALLOW" and not world.sim.pushes()


def refused_at_a_locker(world: PamWorld, name: str) -> None:
    """It says something, in lines that fit, and stays."""
    with Xsecurelock(world) as screen:
        screen.display.type(PASSWORD)
        box = screen.display.wait_for(
            lambda seen: seen.ink() and seen.ink()[2] - seen.ink()[0] > 500, "words").ink()
        screen.display.picture(keep(name))
        assert margins(box, screen.display) and screen.locker.poll() is None


@each(("xsecurelock",), "denied")
def test_denied_at_a_locker(world: PamWorld, program: str) -> None:
    with Xsecurelock(world) as screen:
        screen.display.type(PASSWORD)
        screen.wait_for_prompt("xsecurelock-denied.png")
        world.sim.deny(ALICE)
        screen.display.type("")
        assert cause(world.outcome(program)) == "MFA_REJECTED"
        assert screen.locker.poll() is None


@each(("xsecurelock",), "okta down")
def test_okta_down_at_a_locker(world: PamWorld, program: str) -> None:
    world.sim.listener("okta", "down")
    refused_at_a_locker(world, "xsecurelock-okta.png")
    assert cause(world.outcome(program)) == "OKTA_UNAVAILABLE"


@each(("xsecurelock",), "daemon down")
def test_daemon_down_at_a_locker(world: PamWorld, program: str) -> None:
    world.stop_daemon()
    refused_at_a_locker(world, "xsecurelock-down.png")


class Xscreensaver:
    """xscreensaver, whose dialogue is setuid root: it asks devtrustd as root."""

    def __init__(self, world: PamWorld) -> None:
        self.world = world

    def __enter__(self) -> "Xscreensaver":
        self.stack = contextlib.ExitStack()
        home = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="devtrust-x-")))
        (home / ".xscreensaver").write_text(
            "timeout: 0:10:00\nlock: True\nlockTimeout: 0:00:00\nmode: blank\nsplash: False\n"
            "fade: False\nunfade: False\n")
        for path in (home, home / ".xscreensaver"):
            os.chown(path, ACCOUNTS["dtalice"], ACCOUNTS["dtalice"])
        self.display = self.stack.enter_context(Display())
        self.env = self.display.environment(HOME=str(home))
        self.stack.enter_context(running(self.world, *as_alice("xscreensaver", "--no-splash"),
                                         env=self.env))
        wait_until(lambda: "locking" in self.command("-lock"), "the screen can be locked")
        wait_until(lambda: "locked since" in self.command("-time"), "the screen is locked")
        return self

    def command(self, what: str) -> str:
        done = self.world.run(as_alice("xscreensaver-command", what), env=self.env)
        return done.stdout + done.stderr

    def sign_on(self) -> None:
        """A key brings up the dialogue; it is no part of the password."""
        def shown() -> bool:
            if self.display.picture().ink() is not None:
                return True
            self.display.press("Shift_L")
            return False

        wait_until(shown, "the dialogue")
        self.display.type(PASSWORD)

    def opens(self) -> bool:
        """Enter goes to the prompt, and to the information that comes before the end."""
        def opened() -> bool:
            if "locked since" not in self.command("-time"):
                return True
            self.display.press("Return")
            return False

        return wait_until(opened, "the screen opens")

    def __exit__(self, *error: Any) -> None:
        self.stack.close()


@each(("xscreensaver",), "trusted")
def test_trusted_at_xscreensaver(world: PamWorld, program: str) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    with Xscreensaver(world) as screen:
        screen.sign_on()
        assert screen.opens()
    assert cause(world.outcome(program)) == "RULE_ALLOW" and not world.sim.pushes()


@each(("xscreensaver",), "push")
def test_push_at_xscreensaver(world: PamWorld, program: str) -> None:
    with Xscreensaver(world) as screen:
        screen.sign_on()
        world.sim.wait_push(ALICE)
        assert world.sim.pushes()[0]["number"] is not None
        screen.display.picture(keep("xscreensaver.png"))
        world.sim.approve(ALICE)
        assert screen.opens()
    assert cause(world.outcome(program)) == "MFA_SUCCESS"


@each(("xscreensaver",), "passcode")
def test_passcode_at_xscreensaver(world: PamWorld, program: str) -> None:
    with Xscreensaver(world) as screen:
        screen.sign_on()
        world.sim.wait_push(ALICE)
        screen.display.type(world.sim.passcode(ALICE))
        assert screen.opens()
    assert debug(world.outcome(program))["factor"] == "token:software:totp"


@each(("xscreensaver",), "denied")
def test_denied_at_xscreensaver(world: PamWorld, program: str) -> None:
    with Xscreensaver(world) as screen:
        screen.sign_on()
        world.sim.wait_push(ALICE)
        world.sim.deny(ALICE)
        screen.display.type("")
        assert cause(world.outcome(program)) == "MFA_REJECTED"
        assert "locked since" in screen.command("-time")


@each(("xscreensaver",), "okta down")
def test_okta_down_at_xscreensaver(world: PamWorld, program: str) -> None:
    world.sim.listener("okta", "down")
    with Xscreensaver(world) as screen:
        screen.sign_on()
        assert cause(world.outcome(program)) == "OKTA_UNAVAILABLE"
        assert "locked since" in screen.command("-time")


# --- a display manager ---------------------------------------------------------------------------

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy></busconfig>
"""
LIGHTDM = """[LightDM]
start-default-seat=true
log-directory={here}/log
run-directory={here}/run
cache-directory={here}/cache
user-authority-in-system-dir=true
[Seat:*]
type=xremote
xserver-hostname=unix
xserver-display-number={number}
greeter-session=lightdm-gtk-greeter
allow-guest=false
greeter-hide-users=true
greeter-show-manual-login=true
"""


class Lightdm:
    """lightdm and its GTK greeter, at a screen of 1024 by 768."""

    def __init__(self, world: PamWorld) -> None:
        self.world = world

    def __enter__(self) -> "Lightdm":
        self.stack = contextlib.ExitStack()
        try:
            self._start()
        except BaseException:
            self.stack.close()
            raise
        return self

    def _start(self) -> None:
        self.here = here = Path(self.stack.enter_context(
            tempfile.TemporaryDirectory(prefix="devtrust-dm-")))
        os.chmod(here, 0o755)
        for name in ("log", "run", "cache"):
            (here / name).mkdir()
        self.display = self.stack.enter_context(Display())
        (here / "conf").write_text(LIGHTDM.format(here=here, number=self.display.name[1:]))
        (here / "bus.conf").write_text(BUS.format(here / "bus"))
        self.stack.enter_context(running(self.world, "dbus-daemon", "--nofork", "--config-file",
                                         here / "bus.conf"))
        wait_until((here / "bus").exists, "a bus")
        self.manager = self.stack.enter_context(running(
            self.world, "lightdm", "--debug", "--config", here / "conf", "--pid-file", here / "pid",
            env=self.display.environment(DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={here}/bus")))
        self.log = here / "log" / "lightdm.log"
        self.says("Greeter connected", 1)
        self.display.wait_for(lambda seen: seen.ink() is not None, "the greeter")

    def __exit__(self, *error: Any) -> None:
        self.stack.close()

    def says(self, words: str, count: int) -> None:
        """Waits until the log has so many lines with these words."""
        wait_until(lambda: self.log.exists() and self.log.read_text().count(words) >= count,
                   f"{words} in lightdm's log")

    def sign_on(self) -> None:
        """The user's name, then the password."""
        asked = self.log.read_text().count("Prompt greeter")
        self.display.wait_for(self._is_at_rest, "the greeter is at rest")
        self.display.type("dtalice")
        self.says("Prompt greeter", asked + 1)
        self.display.wait_for(self._is_at_rest, "the greeter is at rest")
        self.display.type(PASSWORD)

    def _is_at_rest(self, seen: Any) -> bool:
        """Two pictures alike, but for a cursor that blinks."""
        other = self.display.picture()
        differ = sum(a != b for a, b in zip(seen.pixels, other.pixels))
        return differ < 100

    def shows(self, name: str) -> Any:
        """The greeter once it has drawn what came last."""
        seen = self.display.wait_for(self._is_at_rest, "the greeter is at rest")
        self.display.picture(keep(name))
        return seen

    def let_in(self) -> bool:
        """By the manager's own word. There is no desktop here that it could begin."""
        self.says("User dtalice authorized", 1)
        return True


def form(seen: Any) -> Any:
    """The box of the greeter's form, below its panel."""
    top = 40
    return type(seen)(seen.width, seen.height - top, seen.pixels[seen.width * top:]).ink()


@each(("lightdm",), "trusted", short=("lightdm",))
def test_trusted_at_a_display_manager(world: PamWorld, program: str) -> None:
    world.sim.enrol_device(world.pki["devices"]["host"]["device_id"])
    with Lightdm(world) as screen:
        screen.sign_on()
        assert screen.let_in()
    assert cause(world.outcome(program)) == "RULE_ALLOW" and not world.sim.pushes()


@each(("lightdm",), "push", short=("lightdm",))
def test_push_at_a_display_manager(world: PamWorld, program: str) -> None:
    """The number stands in the greeter's form, which did not grow wider for it."""
    with Lightdm(world) as screen:
        before = form(screen.shows("lightdm-before.png"))
        screen.sign_on()
        world.sim.wait_push(ALICE)
        assert world.sim.pushes()[0]["number"] is not None
        screen.says("Prompt greeter", 2)
        after = form(screen.shows("lightdm.png"))
        assert (after[0], after[2]) == (before[0], before[2])
        world.sim.approve(ALICE)
        screen.display.type("")
        assert screen.let_in()
    assert cause(world.outcome(program)) == "MFA_SUCCESS"


@each(("lightdm",), "passcode")
def test_passcode_at_a_display_manager(world: PamWorld, program: str) -> None:
    with Lightdm(world) as screen:
        screen.sign_on()
        screen.says("Prompt greeter", 2)
        screen.shows("lightdm-passcode.png")
        screen.display.type(world.sim.passcode(ALICE))
        assert screen.let_in()
    assert debug(world.outcome(program))["factor"] == "token:software:totp"


@each(("lightdm",), "denied")
def test_denied_at_a_display_manager(world: PamWorld, program: str) -> None:
    with Lightdm(world) as screen:
        screen.sign_on()
        screen.says("Prompt greeter", 2)
        screen.shows("lightdm-denied-before.png")
        world.sim.deny(ALICE)
        screen.display.type("")
        assert cause(world.outcome(program)) == "MFA_REJECTED"
        screen.says("Prompt greeter", 3)
        screen.shows("lightdm-denied.png")
        assert "authorized" not in screen.log.read_text()


@each(("lightdm",), "okta down")
def test_okta_down_at_a_display_manager(world: PamWorld, program: str) -> None:
    world.sim.listener("okta", "down")
    with Lightdm(world) as screen:
        screen.sign_on()
        assert cause(world.outcome(program)) == "OKTA_UNAVAILABLE"
        screen.says("Prompt greeter", 2)
        screen.shows("lightdm-okta.png")
        assert "authorized" not in screen.log.read_text()


@each(("lightdm",), "daemon down")
def test_daemon_down_at_a_display_manager(world: PamWorld, program: str) -> None:
    """The greeter shows the module's words and not "Your password is incorrect", which is one line:
    the form is higher by three."""
    cut_off(world)
    with Lightdm(world) as screen:
        before = form(screen.shows("lightdm-down-before.png"))
        screen.sign_on()
        screen.says("Authenticate result for user dtalice", 1)
        screen.says("Prompt greeter", 2)
        after = form(screen.shows("lightdm-down.png"))
        assert (after[0], after[2]) == (before[0], before[2])
        assert after[3] - after[1] >= before[3] - before[1] + 3 * 16
        assert "authorized" not in screen.log.read_text()
