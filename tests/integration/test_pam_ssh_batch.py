# SPDX-License-Identifier: GPL-2.0-or-later
# Programs that reach a host by SSH and cannot be asked anything: with the shipped samples and
# `AuthenticationMethods publickey` a trusted device's key lets them in, and any other is refused in
# words while no phone rings.
"""pam_devtrust.so in sshd, for clients without keyboard-interactive."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Sequence

import pytest

from tests.lib import site as sites
from tests.lib.matrix import cell
from tests.lib.pamworld import LIMIT, PamWorld, pam_world, wait_until
from tests.lib.ports import free_port
from tests.lib.sshd import Sshd, install_device_key, make_key, public_key

WORDS = "Verification with Okta is required"
SECRET = "only for those who are in"
USER = "dtalice"
USER_ID = 61001


@pytest.fixture(scope="module")
def world(pki_index: dict[str, Any]) -> Iterator[PamWorld]:
    with pam_world(pki_index) as made:
        made.sample("sshd", "sshd-devtrust")
        (made.directory / "secret").write_text(SECRET + "\n")
        yield made


@pytest.fixture(scope="module")
def server(world: PamWorld) -> Iterator[Sshd]:
    with Sshd(world, AuthenticationMethods="publickey", X11Forwarding="yes",
              Subsystem="sftp /usr/lib/openssh/sftp-server") as made:
        yield made


@pytest.fixture
def sshd(server: Sshd) -> Iterator[Sshd]:
    yield server
    server.hang_up()


@pytest.fixture(autouse=True)
def fresh(world: PamWorld) -> Iterator[None]:
    world.stop_daemon()
    world.sim.reset()
    world.sim.add_user(USER + "@example.com", factors=("push", "token:software:totp"))
    world.sim.enrol_device(world.pki["devices"]["device-p256"]["device_id"],
                           user=USER + "@example.com")
    world.site.audit_path.unlink(missing_ok=True)
    for path in world.site.store_path.parent.iterdir():
        path.unlink()
    world.site.configure({"mfa": {"wait_pam": "20s"}})
    world.start_daemon()
    world.add_device(world.pki["devices"]["device-p256"]["files"]["certificate"])
    yield
    world.stop_daemon()


@pytest.fixture(scope="module")
def trusted(world: PamWorld, server: Sshd) -> Path:
    key = install_device_key(world, "device-p256")
    server.allow(USER, key)
    return key


@pytest.fixture(scope="module")
def stranger(world: PamWorld, server: Sshd) -> Path:
    key = make_key(world.directory / "stranger")
    server.allow(USER, key)
    return key


def run(command: Sequence[Any], text: str = "", limit: float = LIMIT,
        **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(c) for c in command], input=text, text=True, capture_output=True,
                          timeout=limit, env={**os.environ, **environment})


def ssh(sshd: Sshd, key: Path, *rest: str) -> list[str]:
    """ssh with what goes before the host's name."""
    *options, target = sshd.command(USER, key)[:-2]
    return [*options, "-o", "BatchMode=yes", *rest, target]


def has_words(text: str) -> bool:
    """They are broken into lines."""
    return WORDS in " ".join(text.split())


def last_cause(world: PamWorld, count: int = 1) -> str:
    return world.outcome("sshd", count)["debugContext"]["debugData"]["cause"]


def no_phone_rang(world: PamWorld) -> bool:
    return world.sim.count("okta.verify") == 0 and not world.sim.pushes(USER + "@example.com")


def test_a_command(world: PamWorld, sshd: Sshd, trusted: Path, stranger: Path) -> None:
    done = run([*ssh(sshd, trusted), "cat", world.directory / "secret"])
    assert (done.returncode, done.stdout) == (0, SECRET + "\n"), done.stderr
    assert last_cause(world) == "RULE_ALLOW" and len(world.site.sign_ons()) == 1
    done = run([*ssh(sshd, stranger), "cat", world.directory / "secret"])
    assert done.returncode == 254 and has_words(done.stdout) and SECRET not in done.stdout, done
    assert last_cause(world, 2) == "MFA_NO_PROMPT" and no_phone_rang(world)


# --- everything that a connection can be used for -------------------------------------------------

@pytest.fixture(scope="module")
def target() -> Iterator[int]:
    """A port behind which the secret is."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        connection.sendall(SECRET.encode())

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


class Client:
    """What a way in needs: the server, a key, a place for files, the port with the secret."""

    def __init__(self, world: PamWorld, sshd: Sshd, key: Path, target: int, place: Path) -> None:
        self.world, self.sshd, self.key, self.target, self.place = world, sshd, key, target, place
        place.mkdir(exist_ok=True)

    @property
    def secret(self) -> Path:
        return self.world.directory / "secret"

    def ssh(self, *rest: str) -> list[str]:
        return ssh(self.sshd, self.key, *rest)

    @property
    def options(self) -> list[str]:
        """For programs that call ssh: without the program, the port and the host."""
        command = self.ssh()[1:-1]
        at = command.index("-p")
        return command[:at] + command[at + 2:]

    @property
    def ssh_command(self) -> str:
        return " ".join(["ssh", "-p", str(self.sshd.port), *self.options])


def read_port(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), LIMIT) as s:
        return s.recv(100).decode()


def socks(port: int, target: int) -> str:
    """The same through a proxy (RFC 1928)."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as s:
        s.sendall(b"\5\1\0")
        s.recv(2)
        s.sendall(b"\5\1\0\1\x7f\0\0\1" + target.to_bytes(2, "big"))
        answer = s.recv(10)
        return s.recv(100).decode() if answer[1:2] == b"\0" else ""


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def public_key_file(key: Path) -> Path:
    path = key.parent / (key.name + ".public")
    path.write_text(public_key(key) + "\n")
    return path


def through(command: list[str], ask: Callable[[], str]) -> str:
    """What comes out of a forwarding while the command holds it; "" when that ends without one."""
    def tried() -> Optional[list[str]]:
        try:
            return [ask()]
        except OSError:
            return [""] if running.poll() is not None else None

    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as running:
        try:
            return wait_until(tried, "a forwarding")[0]
        finally:
            running.kill()


def a_command(c: Client) -> str:
    return run([*c.ssh(), "cat", c.secret]).stdout


def a_shell(c: Client) -> str:
    return run(c.ssh("-T"), f"cat {c.secret}\n").stdout


def a_terminal(c: Client) -> str:
    return run(c.ssh("-tt"), f"cat {c.secret}; exit\n").stdout


def sftp(c: Client) -> str:
    run(["sftp", "-b", "-", "-P", c.sshd.port, *c.options, f"{USER}@127.0.0.1"],
        f"get {c.secret} {c.place / 'got'}\n")
    return read(c.place / "got")


def scp(c: Client) -> str:
    run(["scp", "-P", c.sshd.port, *c.options, f"{USER}@127.0.0.1:{c.secret}", c.place / "got"])
    return read(c.place / "got")


def old_scp(c: Client) -> str:
    run(["scp", "-O", "-P", c.sshd.port, *c.options, f"{USER}@127.0.0.1:{c.secret}",
         c.place / "got"])
    return read(c.place / "got")


def forward(c: Client) -> str:
    port = free_port()
    return through(c.ssh("-N", "-L", f"127.0.0.1:{port}:127.0.0.1:{c.target}"),
                   lambda: read_port(port))


def forward_a_socket(c: Client) -> str:
    path = c.place / "socket"

    def ask() -> str:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            return s.recv(100).decode()

    return through(c.ssh("-N", "-L", f"{path}:127.0.0.1:{c.target}"), ask)


def forward_back(c: Client) -> str:
    port = free_port()
    return through(c.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-R",
                         f"127.0.0.1:{port}:127.0.0.1:{c.target}"), lambda: read_port(port))


def forward_any(c: Client) -> str:
    port = free_port()
    return through(c.ssh("-N", "-D", f"127.0.0.1:{port}"), lambda: socks(port, c.target))


def forward_input(c: Client) -> str:
    return run(c.ssh("-W", f"127.0.0.1:{c.target}")).stdout


def forward_the_agent(c: Client) -> str:
    path = c.place / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as agent:
        try:
            wait_until(path.exists, "an agent")
            command = [o.replace("IdentityAgent=none", f"IdentityAgent={path}")
                       for o in c.ssh("-A")]
            return run([*command, f'[ -S "$SSH_AUTH_SOCK" ] && cat {c.secret}']).stdout
        finally:
            agent.terminate()


def forward_x11(c: Client) -> str:
    done = run([*c.ssh("-Y"), f'[ -n "$DISPLAY" ] && cat {c.secret}'], DISPLAY=":77",
               HOME=str(c.place))
    return done.stdout


def rsync(c: Client) -> str:
    run(["rsync", "-e", c.ssh_command, f"{USER}@127.0.0.1:{c.secret}", c.place / "got"])
    return read(c.place / "got")


def git(c: Client) -> str:
    repository = c.world.directory / "repository"
    if not repository.exists():
        commands = [["git", "init", "-q", repository],
                    ["git", "-C", repository, "-c", "user.name=a", "-c", "user.email=a@b",
                     "commit", "-q", "--allow-empty", "-m", SECRET]]
        for command in commands:
            assert run(command).returncode == 0
        run(["chown", "-R", USER_ID, repository])
    run(["git", "clone", "-q", f"{USER}@127.0.0.1:{repository}", c.place / "clone"],
        GIT_SSH_COMMAND=c.ssh_command, GIT_TERMINAL_PROMPT="0")
    return run(["git", "-C", c.place / "clone", "log", "--format=%s", "-1"]).stdout \
        if (c.place / "clone").exists() else ""


def curl(c: Client) -> str:
    """libssh2."""
    done = run(["curl", "-sS", "--insecure", "--user", f"{USER}:", "--key", c.key, "--pubkey",
                public_key_file(c.key), f"sftp://127.0.0.1:{c.sshd.port}{c.secret}"])
    return done.stdout


PARAMIKO = """
import sys, paramiko
port, key, path, how = sys.argv[1:]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", int(port), "dtalice", key_filename=key, look_for_keys=False,
               allow_agent=False)
if how == "sftp":
    print(client.open_sftp().open(path).read().decode())
else:
    print(client.exec_command("cat " + path)[1].read().decode())
"""


def paramiko(c: Client) -> str:
    return run(["/usr/bin/python3", "-W", "ignore", "-c", PARAMIKO, c.sshd.port, c.key, c.secret,
                "exec"]).stdout


def paramiko_sftp(c: Client) -> str:
    return run(["/usr/bin/python3", "-W", "ignore", "-c", PARAMIKO, c.sshd.port, c.key, c.secret,
                "sftp"]).stdout


def ansible(c: Client) -> str:
    """As INSTALL has it; ansible-core disables keyboard-interactive by itself."""
    inventory = c.place / "inventory"
    inventory.write_text(f"[hosts]\n127.0.0.1 ansible_port={c.sshd.port} ansible_user={USER} "
                         f"ansible_ssh_private_key_file={c.key}\n")
    options = " ".join(o for o in c.options if not o.startswith("-i") and o != str(c.key))
    done = run(["ansible", "-i", inventory, "hosts", "-m", "command", "-a", f"cat {c.secret}"],
               ANSIBLE_HOST_KEY_CHECKING="False", ANSIBLE_SSH_ARGS=options,
               ANSIBLE_PYTHON_INTERPRETER="/usr/bin/python3", HOME=str(c.place),
               ANSIBLE_REMOTE_TEMP=f"/tmp/ansible-{os.getpid()}", ANSIBLE_NOCOLOR="1")
    return done.stdout + done.stderr


def vs_code(c: Client) -> str:
    """Remote - SSH: `ssh -T -D PORT HOST bash` with a script on its input, then a connection by
    the port that it opened."""
    port = free_port()
    with subprocess.Popen([*c.ssh("-T", "-D", f"127.0.0.1:{port}"), "bash"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdin is not None and running.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            running.stdin.write(f"echo started; cat {c.secret}; read end\n")
            running.stdin.flush()
        try:
            first = running.stdout.readline()
            return first + running.stdout.readline() + socks(port, c.target) \
                if first == "started\n" else first
        finally:
            running.kill()


WAYS: dict[str, Callable[[Client], str]] = {f.__name__: f for f in (
    a_command, a_shell, a_terminal, sftp, scp, old_scp, rsync, git, curl, paramiko, paramiko_sftp,
    ansible, vs_code, forward, forward_a_socket, forward_back, forward_any, forward_input,
    forward_the_agent, forward_x11)}


@pytest.fixture
def client(world: PamWorld, sshd: Sshd, target: int, tmp_path: Path) -> Callable[[Path], Client]:
    return lambda key: Client(world, sshd, key, target, tmp_path)


# The programs of the matrix; what is not one of them is a use of ssh, and always tried.
PROGRAMS = {"a_command": "ssh -o BatchMode", "sftp": "sftp", "scp": "scp", "rsync": "rsync",
            "git": "git", "curl": "curl sftp", "paramiko": "paramiko", "ansible": "ansible"}
SHORT = ("a_command", "rsync")
SEVERAL = ("vs_code", "paramiko_sftp")  # forms of a program that is tried anyway


def ways(case: str) -> list[Any]:
    return [pytest.param(way, marks=cell("pam", PROGRAMS[way], case, whole=way not in SHORT))
            if way in PROGRAMS else pytest.param(
                way, marks=cell("pam", "ssh, " + way.replace("_", " "), case,
                                whole=way in SEVERAL))
            for way in WAYS]


def programs(case: str) -> list[Any]:
    return [pytest.param(way, marks=cell("pam", name, case, whole=True))
            for way, name in PROGRAMS.items()]


@pytest.mark.parametrize("way", ways("trusted"))
def test_trusted(world: PamWorld, client: Callable[[Path], Client], trusted: Path,
                 way: str) -> None:
    got = WAYS[way](client(trusted))
    assert SECRET in got, got
    assert last_cause(world) == "RULE_ALLOW" and world.sim.count("okta.total") == 0


@pytest.mark.parametrize("way", ways("push"))
def test_stranger(world: PamWorld, client: Callable[[Path], Client], stranger: Path,
                  way: str) -> None:
    """Who could be asked elsewhere is not pushed here."""
    got = WAYS[way](client(stranger))
    assert SECRET not in got, got
    assert last_cause(world) == "MFA_NO_PROMPT" and no_phone_rang(world)


@pytest.mark.parametrize("way", programs("passcode"))
def test_nobody_to_type_a_passcode(world: PamWorld, client: Callable[[Path], Client],
                                   stranger: Path, way: str) -> None:
    world.sim.reset()
    world.sim.add_user(USER + "@example.com", factors=("token:software:totp",))
    assert SECRET not in WAYS[way](client(stranger))
    assert last_cause(world) == "MFA_NO_PROMPT" and no_phone_rang(world)


@pytest.mark.parametrize("way", programs("denied"))
def test_denied(world: PamWorld, client: Callable[[Path], Client], trusted: Path,
                way: str) -> None:
    before = (world.site.policy_directory / "sshd.json").read_text()
    world.site.set_policy({"name": "sshd", "application": "sshd", "rules": [sites.catch_all()]})
    world.restart_daemon()
    try:
        assert SECRET not in WAYS[way](client(trusted))
        assert last_cause(world) == "RULE_DENY"
    finally:
        (world.site.policy_directory / "sshd.json").write_text(before)


@pytest.mark.parametrize("way", programs("okta down"))
def test_program_while_okta_is_down(world: PamWorld, client: Callable[[Path], Client],
                                    trusted: Path, stranger: Path, way: str) -> None:
    """A trusted device needs no Okta; any other gets nothing of its being away."""
    world.sim.fault("status", listener="okta", status=503)
    c = client(stranger)
    assert SECRET not in WAYS[way](c)
    c.key = trusted
    assert SECRET in WAYS[way](c)


@pytest.mark.parametrize("way", programs("daemon down"))
def test_program_without_a_daemon(world: PamWorld, client: Callable[[Path], Client],
                                  trusted: Path, stranger: Path, way: str) -> None:
    world.stop_daemon()
    c = client(stranger)
    assert SECRET not in WAYS[way](c)
    c.key = trusted
    assert SECRET in WAYS[way](c)


# --- ways around ----------------------------------------------------------------------------------

@contextlib.contextmanager
def service(world: PamWorld, change: Callable[[str], str]) -> Iterator[None]:
    """The PAM file of sshd, changed."""
    path = world.pam_directory / "sshd"
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    try:
        yield
    finally:
        path.write_text(before)


def session_line(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("session"))


def replace_session(new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        line = session_line(text)
        return text.replace(line, new.replace("OURS", line.split(None, 2)[2]))
    return change


UNPROVEN = {
    "missing": "",
    "optional": "session optional OURS",
    "sufficient": "session sufficient OURS",
    "a control in brackets": "session [success=ok default=ignore] OURS",
    "after another": "session optional pam_umask.so\nsession required OURS",
    "after one that ends the stack": "session sufficient pam_permit.so\nsession required OURS",
    "after an include": "@include common-session\nsession required OURS",
    "after a jump": "session [success=1 default=ignore] pam_permit.so\nsession required OURS",
    "continued": "session \\\nrequired OURS",
    "in a comment": "# session required OURS\nsession required pam_permit.so",
    "another module": "session required pam_permit.so pam_devtrust.so",
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_account_line_passes_nothing_on_to_a_line_that_may_not_decide(
        world: PamWorld, client: Callable[[Path], Client], trusted: Path, stranger: Path,
        name: str) -> None:
    with service(world, replace_session(UNPROVEN[name])):
        for key in (stranger, trusted):
            done = run([*client(key).ssh(), "cat", world.directory / "secret"])
            assert (done.returncode, done.stdout) == (255, ""), done
    assert {e["debugContext"]["debugData"]["cause"] for e in world.site.sign_ons()} \
        == {"MFA_NO_PROMPT"} and no_phone_rang(world)


PROVEN = {
    "requisite": "session requisite OURS",
    "in capitals": "SESSION Required OURS",
    "in a file of its own": "session include devtrust-session",
    "in an included file": "@include devtrust-session",
    "in a substack": "session substack devtrust-session",
}


@pytest.mark.parametrize("name", PROVEN)
def test_a_session_line_that_decides(world: PamWorld, client: Callable[[Path], Client],
                                     trusted: Path, stranger: Path, name: str) -> None:
    line = session_line((world.pam_directory / "sshd").read_text())
    (world.pam_directory / "devtrust-session").write_text("# ours\n\n" + line + "\n")
    with service(world, replace_session(PROVEN[name])):
        assert SECRET in a_command(client(trusted))
        assert has_words(a_command(client(stranger)))


def test_no_account_line(world: PamWorld, client: Callable[[Path], Client], trusted: Path,
                         stranger: Path) -> None:
    def change(text: str) -> str:
        return "".join(line for line in text.splitlines(True)
                       if not ("pam_devtrust" in line and line.startswith("account")))

    with service(world, change):
        assert SECRET in a_command(client(trusted))
        assert has_words(a_command(client(stranger)))


def test_a_key_that_people_write_themselves(world: PamWorld, client: Callable[[Path], Client],
                                            trusted: Path, stranger: Path) -> None:
    """pam_env reads ~/.pam_environment where Debian's file tells it to."""
    forged = public_key(trusted).split()[:2]
    home = world.directory / ".pam_environment"
    home.write_text(f'SSH_AUTH_INFO_0 DEFAULT="publickey {" ".join(forged)}"\n')

    def change(text: str) -> str:
        return text.replace("session    required     pam_env.so\n",
                            "session    required     pam_env.so user_readenv=1\n")

    try:
        with service(world, change):
            assert has_words(a_command(client(stranger)))
        assert last_cause(world) == "MFA_NO_PROMPT"
    finally:
        home.unlink()


def test_a_rule_that_denies_speaks_before_the_session(
        world: PamWorld, client: Callable[[Path], Client], trusted: Path) -> None:
    """On standard error, for every program, and the connection ends."""
    before = (world.site.policy_directory / "sshd.json").read_text()
    world.site.set_policy({"name": "sshd", "application": "sshd", "rules": [sites.catch_all()]})
    world.restart_daemon()
    try:
        command = [o.replace("LogLevel=ERROR", "LogLevel=INFO") for o in client(trusted).ssh()]
        done = run([*command, "true"])
        assert done.returncode == 255 and "sign-on policy does not allow" \
            in done.stderr.replace("\n", " "), done
        assert last_cause(world) == "RULE_DENY" and len(world.site.sign_ons()) == 1
    finally:
        (world.site.policy_directory / "sshd.json").write_text(before)


def reasons(rule: dict[str, Any], *names: str) -> dict[str, Any]:
    rule["conditions"]["device"]["reasons"] = list(names)
    return rule


@pytest.mark.parametrize("rules,inside", [
    ([sites.rule("Trusted", 1, "TRUSTED"), sites.catch_all()], True),
    ([sites.rule("People", 1, people={"users": {"include": ["dtalice"]}}), sites.catch_all()],
     True),
    ([sites.rule("Others", 1, people={"users": {"include": ["dtbob"]}}), sites.catch_all()],
     False),
    ([sites.rule("Not", 1, "NOT_TRUSTED"), sites.catch_all()], False),
    ([sites.rule("Phones", 1, "TRUSTED",
                 platform={"include": [{"type": "MOBILE", "os": {"type": "IOS"}}]}),
      sites.catch_all()], False),
])
def test_rules(world: PamWorld, client: Callable[[Path], Client], trusted: Path,
               rules: list[dict[str, Any]], inside: bool) -> None:
    """What the account line passes on, the session line decides as anywhere else."""
    before = (world.site.policy_directory / "sshd.json").read_text()
    world.site.set_policy({"name": "sshd", "application": "sshd", "rules": rules})
    world.restart_daemon()
    try:
        assert (SECRET in a_command(client(trusted))) == inside
        world.outcome("sshd")
        assert len(world.site.sign_ons()) == 1
    finally:
        (world.site.policy_directory / "sshd.json").write_text(before)


def test_service_not_named_in_sshd_services(world: PamWorld, client: Callable[[Path], Client],
                                            trusted: Path) -> None:
    world.restart_daemon({"daemon": {"sshd_services": "other"}})
    try:
        assert SECRET not in a_command(client(trusted))
        assert last_cause(world) == "CONFIG"
    finally:
        world.site.configure({"daemon": {"sshd_services": None}})


def test_expired_password(world: PamWorld, client: Callable[[Path], Client],
                          stranger: Path) -> None:
    """sshd offers to change it before it looks at what the session line said, and nothing else."""
    shadow = world.directory / "shadow"
    text = shadow.read_text()
    shadow.write_text(text.replace("dtalice:*:19000:", "dtalice:*:0:"))
    try:
        c = client(stranger)
        done = run([*c.ssh(), "cat", c.secret])
        assert SECRET not in done.stdout and done.returncode == 1
        assert "no TTY available" in done.stderr
        assert SECRET not in forward(c) and no_phone_rang(world)
    finally:
        shadow.write_text(text)


@pytest.mark.parametrize("way", [a_command, sftp, forward, forward_back])
def test_root(world: PamWorld, client: Callable[[Path], Client], trusted: Path, stranger: Path,
              way: Callable[[Client], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd serves root by other processes, and lets root in by key without the `yes` that the
    conversation needs."""
    world.sim.add_user("root@example.com", factors=("push",))
    monkeypatch.setitem(globals(), "USER", "root")
    with Sshd(world, AuthenticationMethods="publickey", PermitRootLogin="prohibit-password",
              StrictModes="no", Subsystem="sftp /usr/lib/openssh/sftp-server") as other:
        for key, inside in ((stranger, False), (trusted, True)):
            other.allow("root", key)
            c = client(key)
            c.sshd = other
            assert (SECRET in way(c)) == inside
            assert last_cause(world, 1 + inside) == ("RULE_ALLOW" if inside else "MFA_NO_PROMPT")
    assert world.sim.count("okta.verify") == 0


def test_a_tunnel_is_not_opened(world: PamWorld, stranger: Path, client: Callable[[Path], Client],
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd refuses a tunnel by PermitTunnel alone; the drop-in keeps it off."""
    world.sim.add_user("root@example.com", factors=("push",))
    monkeypatch.setitem(globals(), "USER", "root")
    with Sshd(world, AuthenticationMethods="publickey", PermitRootLogin="prohibit-password",
              StrictModes="no") as other:
        other.allow("root", stranger)
        c = client(stranger)
        c.sshd = other
        done = run(c.ssh("-N", "-o", "ExitOnForwardFailure=yes", "-o", "Tunnel=point-to-point",
                         "-w", "any:any"))
        assert done.returncode == 255, done
        assert "rejected tunnel" in other.log.read_text() or "unnel" in done.stderr


# --- connections that stay ------------------------------------------------------------------------

@contextlib.contextmanager
def master(c: Client) -> Iterator[list[str]]:
    """A connection that ssh keeps for others (ControlMaster); what goes before their commands."""
    path = c.place / "master"
    with subprocess.Popen([*c.ssh("-M", "-S", str(path), "-N")], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_until(path.exists, "a master")
            yield c.ssh("-S", str(path), "-o", "ProxyCommand=false")
        finally:
            running.terminate()


def test_control_master_of_a_stranger(world: PamWorld, client: Callable[[Path], Client],
                                      stranger: Path) -> None:
    c = client(stranger)
    with master(c) as slave:
        for _ in range(2):
            assert SECRET not in run([*slave, "cat", c.secret]).stdout
        port = free_port()
        run([*slave[:-1], "-O", "forward", "-L", f"127.0.0.1:{port}:127.0.0.1:{c.target}",
             slave[-1]])
        with contextlib.suppress(OSError):
            assert SECRET not in read_port(port)
    wait_until(world.site.sign_ons, "the refusal")
    assert len(world.site.sign_ons()) == 1 and no_phone_rang(world)


def test_control_master_outlives_trust(world: PamWorld, client: Callable[[Path], Client],
                                       trusted: Path) -> None:
    """As the manual says: what was decided holds until the connection ends."""
    c = client(trusted)
    device = world.pki["devices"]["device-p256"]["device_id"]
    world.restart_daemon({"device_trust": {"cache_ttl": "1s"}})
    try:
        with master(c) as slave:
            assert SECRET in run([*slave, "cat", c.secret]).stdout
            world.sim.make_noncompliant(device)
            wait_until(lambda: has_words(a_command(c)), "the device is refused")
            assert SECRET in run([*slave, "cat", c.secret]).stdout
    finally:
        world.site.configure({"device_trust": {"cache_ttl": "15m"}})


def test_unused_master_ends_where_the_manual_says_how(
        world: PamWorld, client: Callable[[Path], Client], trusted: Path) -> None:
    with Sshd(world, AuthenticationMethods="publickey", ChannelTimeout="*=1s",
              UnusedConnectionTimeout="1s") as other:
        other.allow(USER, trusted)
        c = client(trusted)
        c.sshd = other
        assert run(c.ssh("-N")).returncode == 255  # the server has ended it


# --- when a part is away --------------------------------------------------------------------------

def test_okta_down(world: PamWorld, client: Callable[[Path], Client], trusted: Path,
                   stranger: Path) -> None:
    world.sim.fault("status", listener="okta", status=503)
    assert SECRET in a_command(client(trusted))
    assert SECRET not in a_command(client(stranger)) and no_phone_rang(world)


def test_no_daemon(world: PamWorld, client: Callable[[Path], Client], trusted: Path,
                   stranger: Path) -> None:
    """Each line starts one of its own."""
    world.stop_daemon()
    assert SECRET in a_command(client(trusted))
    assert has_words(a_command(client(stranger)))


def test_no_daemon_can_be_started(world: PamWorld, client: Callable[[Path], Client],
                                  trusted: Path) -> None:
    world.stop_daemon()
    world.one_path.unlink()
    try:
        assert SECRET not in a_command(client(trusted))
    finally:
        world.set_one()
