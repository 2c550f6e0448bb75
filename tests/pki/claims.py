# SPDX-License-Identifier: GPL-2.0-or-later
# The corpus of what a device only says: managed app configurations as an MDM leaves them on the
# host, and what VPN clients tell of themselves. As in corpus.py: made anew for every run,
# each row with what must come of it and why; with the check removed that it is about, it fails.
"""A table of managed app configurations and VPN clients' claims, and what each must yield."""

from __future__ import annotations

import json
import os
import plistlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

ORG, USER = "https://acme.okta.com", "ann"
HINTS = ("s3cretKeyOfTheOrg-0123456789", "anotherSecretKey-9876543210",
         "thirdSecretKey-ABCDEFGHIJKL",
         "fourthSecretKey-abcdefghijkl")
TRUSTED, MISMATCH, NOT_MANAGED = "TRUSTED", "MANAGEMENT_HINT_MISMATCH", "NOT_MANAGED"
UNAVAILABLE, NO_CERTIFICATE, PLATFORM = (
    "LOOKUP_UNAVAILABLE", "NO_CERTIFICATE", "PLATFORM_NOT_ENABLED")
KIND = "androidenterprise#managedConfiguration"
PRODUCT = "app:com.okta.android.mobile.oktamobile"
LAPTOP, PHONE = "5a6b7c8d-1234-4abc-9def-0123456789ab", "00112233-4455-4677-8899-aabbccddeeff"
NAMELESS = "0c0ffee0-1111-4222-8333-444444444444"  # in no alias

# What each site sets under [device_trust].
SITES: dict[str, dict[str, str]] = {
    "claims": {"trusted_when": "vpn-client", "platforms": "windows, macos, linux, chromeos, "
               "other-desktop, ios, android, other-mobile"},
    "windows": {"trusted_when": "vpn-client", "platforms": "windows"},
    "looked-up": {"trusted_when": "vpn-client+intune"},
    "proved": {"trusted_when": "certificate+intune, ssh-key+intune"},
}
# The aliases that every site's registry has.
ALIASES = {"mac:00-50-56-bd-8f-3e": LAPTOP, "uid:5B2FA1C0D3": LAPTOP, "name:LT-4711": LAPTOP,
           "mac:00-50-56-00-00-09": PHONE, "uid:phone-9": PHONE,
           "uid:" + "ab" * 64: LAPTOP, "name:" + "hi" * 63 + "h": LAPTOP}


@dataclass
class Claim:
    """One row: the file and what must come of it."""

    name: str
    path: Path
    expect: str
    why: str
    managed: bool
    site: str = "claims"
    user: str = USER
    says: str = ""  # part of the detail
    facts: dict[str, Any] = field(default_factory=dict)  # members of the JSON; None: not there


def prop(key: Any, value: Any, kind: str = "valueString") -> dict[str, Any]:
    return {"key": key, kind: value}


def android(hint: Any = HINTS[0], site: Any = ORG, username: Any = USER, *more: Any,
            kind: Any = KIND, product: Any = PRODUCT) -> dict[str, Any]:
    """A whole configuration; what is None is left out."""
    given = [prop(key, value) for key, value in (("siteName", site), ("username", username),
                                                 ("managementHint", hint)) if value is not None]
    whole = {"kind": kind, "productId": product, "managedProperty": [*given, *more]}
    return {k: v for k, v in whole.items() if v is not None}


def apple(hint: Any = HINTS[0], domain: Any = "acme.okta.com", **more: Any) -> dict[str, Any]:
    given = {"Domain": domain, "managementHint": hint, **more}
    return {k: v for k, v in given.items() if v is not None}


class Claims:
    """Makes the files under `out`; `cases` is the table."""

    def __init__(self, out: Path) -> None:
        self.out, self.cases = Path(out), []
        self.out.mkdir(parents=True, exist_ok=True)
        for make in (self.keys, self.orgs, self.people, self.android_forms, self.apple_forms,
                     self.rights, self.macs, self.uids, self.hosts, self.platforms, self.trust,
                     self.lines):
            make()

    def _add(self, name: str, content: Optional[Union[bytes, str]], expect: str, why: str,
             **row: Any) -> Path:
        assert name not in {c.name for c in self.cases}, name
        path = self.out / name
        if content is not None:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            os.chmod(path, 0o600)
        self.cases.append(Claim(name, path, expect, why, **row))
        return path

    def managed(self, name: str, content: Any, expect: str, why: str, *, mode: int = 0o600,
                owner: int = 0, **row: Any) -> Path:
        """A row; a dict is written as Android's JSON."""
        if isinstance(content, dict):
            content = json.dumps(content)
        path = self._add("managed-" + name, content, expect, why, managed=True, **row)
        if content is not None:
            os.chown(path, owner, owner)
            os.chmod(path, mode)
        return path

    def claims(self, name: str, pairs: Any, expect: str, why: str, *, device: Optional[str] = None,
               names: Optional[list[str]] = None, platform: Optional[str] = None,
               **row: Any) -> None:
        """A row; `pairs`: a text, or what AnyConnect says, one pair each."""
        if not isinstance(pairs, (str, bytes)):
            pairs = "".join(f'Cisco-AVPair = "mdm-tlv={p}"\n' for p in pairs)
        facts = {"deviceId": device, "names": names, "platform": platform}
        self._add("claims-" + name, pairs, expect, why, managed=False, facts=facts, **row)

    # --- managed app configuration -------------------------------------------------------------

    def keys(self) -> None:
        row = self.managed
        row("good", android(), TRUSTED, "as Intune writes it", facts={"org": ORG, "username": USER})
        for number, hint in enumerate(HINTS[1:], 2):
            row(f"key-{number}", android(hint), TRUSTED, "one of several keys in rotation")
            row(f"key-{number}-apple", plistlib.dumps(apple(hint)), TRUSTED, "the same, of Apple's")
        for name, hint, why in (
                ("wrong", "s3cretKeyOfTheOrg-012345678X", "one character differs"),
                ("short", HINTS[0][:-1], "a beginning is not the key"),
                ("long", HINTS[0] + "9", "the key and more is not the key"),
                ("case", HINTS[0].upper(), "keys have a case"),
                ("blank", HINTS[0] + " ", "a blank behind it is not the key"),
                ("two", HINTS[0] + "\n" + HINTS[1], "two keys are no key"),
                ("nul", HINTS[0] + "\0x", "nothing is cut off at a NUL"),
                ("empty", "", "no key at all"), ("huge", "k" * 60000, "longer than any key")):
            row("key-" + name, android(hint), MISMATCH, why)
        row("key-missing", android(None), MISMATCH, "the MDM keeps no key here",
            says="no managementHint")
        row("key-not-named", android(None, ORG, USER, prop("ManagementHint", HINTS[0])), MISMATCH,
            "names of settings have a case", says="no managementHint")
        row("key-twice", android(HINTS[0], ORG, USER, prop("managementHint", "x" * 20)), MISMATCH,
            "which of the two would count?", says="managementHint occurs twice")
        row("key-twice-wrong-first", android("x" * 20, ORG, USER, prop("managementHint", HINTS[0])),
            MISMATCH, "a right one does not mend a wrong one", says="twice")

    def orgs(self) -> None:
        row = self.managed
        for name, site in (("slash", ORG + "/"), ("bare", "acme.okta.com"),
                           ("case", "https://ACME.okta.com")):
            row("org-" + name, android(site=site), TRUSTED, "the same org, written otherwise")
        for name, site, why in (
                ("other", "https://evil.okta.com", "somebody else's org"),
                ("below", "https://acme.okta.com.evil.example", "it only begins like ours"),
                ("above", "https://okta.com", "it only ends like ours"),
                ("user-part", "https://acme.okta.com@evil.example", "ours is not the host in it"),
                ("path", ORG + "/x", "a path is no org"),
                ("slashes", ORG + "//", "one slash may stand behind it"),
                ("http", "http://acme.okta.com", "not in the clear"),
                ("port", ORG + ":444", "another port is another server"),
                ("blank", ORG + " ", "a blank is part of a name"),
                ("scheme-alone", "https://", "no name at all")):
            row("org-" + name, android(site=site), MISMATCH, why, says="another Okta org")
        row("org-missing", android(site=None), MISMATCH, "for any org is for none",
            says="names no org")
        row("org-empty", android(site=""), MISMATCH, "nor is this", says="siteName is empty")
        row("org-twice", android(HINTS[0], "https://evil.okta.com", USER, prop("siteName", ORG)),
            MISMATCH, "which of the two would count?", says="siteName occurs twice")
        row("org-long", android(site=ORG + "/" * 300), MISMATCH, "nothing is cut off",
            says="siteName is longer")
        row("org-apples", android(HINTS[0], None, USER, prop("Domain", ORG)), MISMATCH,
            "Domain is Apple's word", says="names no org")

    def people(self) -> None:
        row = self.managed
        row("user-none", android(username=None), TRUSTED, "a host of several people",
            facts={"username": None})
        for name, username in (("login", "ann@example.com"), ("case", "Ann@Example.COM")):
            row("user-" + name, android(username=username), TRUSTED, "it is ann's Okta login")
        for name, username, why in (
                ("other", "bob", "somebody else's"), ("longer", "anna", "it only begins so"),
                ("other-domain", "ann@evil.example", "another org's ann"),
                ("blank", "ann ", "a blank is part of a name"),
                ("control", "ann\x1b[2K", "nor does it show on a terminal")):
            row("user-" + name, android(username=username), MISMATCH, why, says="another user")
        row("user-at-login", android(), MISMATCH, "bob signs on, and it is ann's", user="bob",
            says="another user")
        row("user-empty", android(username=""), MISMATCH, "an empty name is nobody's",
            says="username is empty")
        row("user-twice", android(HINTS[0], ORG, "bob", prop("username", USER)), MISMATCH,
            "which of the two would count?", says="username occurs twice")
        row("user-long", android(username="a" * 256), MISMATCH, "nothing is cut off",
            says="username is longer")

    def android_forms(self) -> None:
        row = self.managed
        good = json.dumps(android())
        row("more-settings", android(HINTS[0], ORG, USER, prop("x", True, "valueBool"),
                                     prop("y", 3, "valueInteger")), TRUSTED, "other settings")
        row("many-settings",
            android(HINTS[0], ORG, USER, *[prop(f"s{i}", "v") for i in range(253)]),
            TRUSTED, "as many as may be")
        row("too-many-settings",
            android(HINTS[0], ORG, USER, *[prop(f"s{i}", "v") for i in range(254)]), MISMATCH,
            "one more", says="more than 256")
        for name, kind in (("other", "androidenterprise#product"), ("missing", None),
                           ("number", 1)):
            row("kind-" + name, android(kind=kind), MISMATCH, "no managed configuration",
                says="kind is not")
        for name, product in (("other", "app:com.evil"), ("missing", None),
                              ("near", "app:com.okta")):
            row("product-" + name, android(product=product), MISMATCH, "some other app's",
                says="productId")
        for name, value in (("missing", None), ("object", {"managementHint": HINTS[0]}),
                            ("text", "x")):
            whole = {**android(), "managedProperty": value}
            row("list-" + name, whole, MISMATCH, "no list of settings", says="managedProperty")
        for name, value in (("number", 5), ("list", [HINTS[0]]), ("null", None), ("bool", True),
                            ("object", {"x": HINTS[0]})):
            row("value-" + name, {**android(None), "managedProperty": [
                prop("siteName", ORG), prop("managementHint", value)]}, MISMATCH,
                "a key is a string", says="valueString is not a string")
        for name, item in (("no-key", {"valueString": "x"}), ("key-number", prop(5, "x")),
                           ("text", "managementHint"), ("list", ["managementHint", HINTS[0]])):
            row("item-" + name, android(HINTS[0], ORG, USER, item), MISMATCH,
                "a setting has a name", says="has no key")
        row("nested", {"kind": KIND, "productId": PRODUCT, "managedProperty": [
            {"key": "bundle", "valueBundle": {"managedProperty": android()["managedProperty"]}}]},
            MISMATCH, "settings within a setting are another app's", says="no managementHint")
        row("wrapped", json.dumps([android()]), MISMATCH, "a list of them is none",
            says="kind is not")
        row("member-twice", good[:-1] + ',"kind":"' + KIND + '"}', MISMATCH, "a member twice")
        row("bare-value", good.replace(f'"{HINTS[0]}"', HINTS[0]), MISMATCH,
            "as guides print it", says="a valueString has no quotes")
        for name, content in (("empty", ""), ("blank", " \n"), ("truncated", good[:-1]),
                              ("half", good[:len(good) // 2]), ("behind", good + "x"),
                              ("utf8", good.encode().replace(b"ann", b"\xff\xfe")),
                              ("utf16", good.encode("utf-16")), ("deep", "[" * 60000),
                              ("text", "managementHint = " + HINTS[0])):
            row("json-" + name, content, MISMATCH, "no JSON")
        row("as-large", good[:-1] + " " * (65536 - len(good)) + "}", TRUSTED, "as large as may be")
        row("too-large", good[:-1] + " " * (65537 - len(good)) + "}", MISMATCH, "one byte more")

    def apple_forms(self) -> None:
        row = self.managed
        xml = plistlib.dumps(apple())
        binary = plistlib.dumps(apple(), fmt=plistlib.FMT_BINARY)
        row("apple", xml, TRUSTED, "as Intune writes it", facts={"org": "acme.okta.com"})
        row("apple-binary", binary, TRUSTED, "the same in Apple's binary form")
        row("apple-user", plistlib.dumps(apple(username=USER)), TRUSTED, "for ann")
        row("apple-more", plistlib.dumps(apple(x=[1, 2], y={"z": True})), TRUSTED, "other settings")
        for form, fmt in (("", plistlib.FMT_XML), ("-binary", plistlib.FMT_BINARY)):
            for name, made, says in (
                    ("key-wrong", apple("x" * 20), "none of the secret keys"),
                    ("key-missing", apple(None), "no managementHint"),
                    ("key-number", apple(5), ""), ("key-data", apple(HINTS[0].encode()), ""),
                    ("key-list", apple([HINTS[0]]), ""),
                    ("org-other", apple(domain="evil.okta.com"), "another Okta org"),
                    ("org-missing", apple(domain=None), "names no org"),
                    ("org-number", apple(domain=1), ""),
                    ("org-androids", apple(domain=None, siteName=ORG), "names no org"),
                    ("user-other", apple(username="bob"), "another user"),
                    ("nested", {"x": apple()}, "no managementHint"),
                    ("list", [apple()], "")):
                row(f"apple{form}-{name}", plistlib.dumps(made, fmt=fmt), MISMATCH,
                    "each check holds for Apple's forms, too", says=says)
        other = b"<key>managementHint</key><string>xxxxxxxxxxxxxxxxxxxx</string>"
        row("apple-twice", xml.replace(b"</dict>", other + b"</dict>"), MISMATCH,
            "of a key that is there twice libplist keeps the last, which is wrong here")
        row("apple-truncated", xml[:len(xml) // 2], MISMATCH, "its end is missing")
        row("apple-binary-truncated", binary[:-1], MISMATCH, "its end is missing")
        row("apple-binary-head", b"bplist00", MISMATCH, "a head alone")
        row("apple-entity", xml.replace(b"<plist", b'<!DOCTYPE p [<!ENTITY k "' +
                                        HINTS[0].encode() + b'">]><plist').replace(
            f"<string>{HINTS[0]}".encode(), b"<string>&k;"), MISMATCH, "nothing is expanded")

    def rights(self) -> None:
        row = self.managed
        for name, mode in (("group-writable", 0o620), ("world-writable", 0o602),
                           ("world-readable", 0o604)):
            row("mode-" + name, android(), MISMATCH, "somebody else could have written or read it",
                mode=mode)
        row("owner", android(), MISMATCH, "a person could have written it", owner=65534,
            says="does not belong to root")
        row("absent", None, NOT_MANAGED, "no MDM was here", says="no managed app configuration")
        target = self.out / "managed-good"
        link = self.managed("link", None, MISMATCH, "whoever owns the link says what it is")
        link.symlink_to(target)
        self.managed("directory", None, MISMATCH, "no file").mkdir(mode=0o700)
        os.mkfifo(self.managed("pipe", None, MISMATCH, "nobody waits for it"), 0o600)

    # --- VPN clients ------------------------------------------------------------------------------

    def macs(self) -> None:
        row, mac = self.claims, ["mac:005056bd8f3e"]
        for name, text in (("dashes", "00-50-56-bd-8f-3e"), ("upper", "00-50-56-BD-8F-3E"),
                           ("colons", "00:50:56:bd:8f:3e"), ("dots", "0050.56bd.8f3e"),
                           ("groups", "00505-6bd8f-3e"), ("plain", "005056bd8f3e"),
                           ("blanks", "00-50-56-bd-8f-3e   ")):
            good = name != "groups"
            row("mac-" + name, ["device-mac=" + text], TRUSTED if good else NO_CERTIFICATE,
                "a usual notation" if good else "no notation that anybody uses",
                device=LAPTOP if good else None, names=mac if good else None)
        row("mac-public", ["device-public-mac=00:50:56:bd:8f:3e"], TRUSTED, "the other attribute",
            device=LAPTOP, names=mac)
        row("mac-second", ["device-mac=00-50-56-11-11-11", "device-mac=00-50-56-bd-8f-3e"], TRUSTED,
            "any of its cards", device=LAPTOP, names=["mac:005056111111", *mac])
        row("mac-same", ["device-mac=00-50-56-bd-8f-3e", "device-public-mac=00:50:56:BD:8F:3E"],
            TRUSTED, "the same card twice is one", device=LAPTOP, names=mac)
        row("mac-ninth", [f"device-mac=00-50-56-11-11-{i:02x}" for i in range(8)] +
            ["device-mac=00-50-56-bd-8f-3e"], NO_CERTIFICATE, "eight cards are looked at",
            names=[f"mac:0050561111{i:02x}" for i in range(8)])
        for name, text, why in (
                ("group", "01-50-56-bd-8f-3e", "a group's address is no card's"),
                ("zero", "00-00-00-00-00-00", "nor is none"),
                ("all", "ff-ff-ff-ff-ff-ff", "nor everybody's"),
                ("mixed", "00-50:56-bd-8f-3e", "separators are all the same"),
                ("short", "00-50-56-bd-8f", "five octets"),
                ("long", "00-50-56-bd-8f-3e-00", "seven octets"),
                ("letters", "00-50-56-bd-8f-3g", "no hex digit"),
                ("percent", "%s%s%s%s%s%s%s%s%n", "nothing is expanded"),
                ("empty", "", "nothing said"),
                ("nul", "00-50-56-bd-8f-3e\\000", "nothing is cut off at a NUL"),
                ("tab", "00-50-56-bd-8f-3e\\t", "only blanks are dropped")):
            row("mac-" + name, ["device-mac=" + text], NO_CERTIFICATE, why)

    def uids(self) -> None:
        row = self.claims
        row("uid", ["device-uid=5B2FA1C0D3"], TRUSTED, "a hash that the registry has",
            device=LAPTOP, names=["uid:5b2fa1c0d3"])
        row("uid-global", ["device-uid-global=5b2fa1c0d3 "], TRUSTED, "under the other name",
            device=LAPTOP, names=["uid:5b2fa1c0d3"])
        row("uid-first", ["device-uid=phone-9", "device-mac=00-50-56-bd-8f-3e"], TRUSTED,
            "the most telling name finds it", device=PHONE,
            names=["uid:phone-9", "mac:005056bd8f3e"])
        row("uid-twice", ["device-uid=stranger", "device-uid=phone-9"], NO_CERTIFICATE,
            "the first counts", names=["uid:stranger"])
        row("uid-guid", [f"device-uid={NAMELESS.upper()}"], TRUSTED, "some MDMs hand out the id",
            device=NAMELESS, names=["uid:" + NAMELESS])
        row("uid-guid-braces", [f"device-uid={{{NAMELESS}}}"], TRUSTED, "or write it so",
            device=NAMELESS, names=["uid:{" + NAMELESS + "}"])
        row("uid-guid-broken", [f"device-uid={NAMELESS[:-1]}"], NO_CERTIFICATE, "cut short",
            names=["uid:" + NAMELESS[:-1]])
        row("uid-guid-known-mac", [f"device-uid={NAMELESS}", "device-mac=00-50-56-bd-8f-3e"],
            TRUSTED, "what the registry knows comes first", device=LAPTOP,
            names=["uid:" + NAMELESS, "mac:005056bd8f3e"])
        row("uid-longest", ["device-uid=" + "AB" * 64], TRUSTED, "as long as may be",
            device=LAPTOP, names=["uid:" + "ab" * 64])
        for name, text, why in (
                ("long", "ab" * 64 + "a", "one more, and nothing is cut off"),
                ("blank", "5B2FA1 C0D3", "a blank is no part of a name"),
                ("slash", "../5B2FA1C0D3", "a name is no path"),
                ("quote", "5B2FA1C0D3\\\"", "nor does it break out of a text"),
                ("control", "5B2FA1C0D3\\033[2K", "nor paint on a terminal"),
                ("newline", "5B2FA1C0D3\\nmdm-tlv=device-uid=phone-9", "nor begin another line"),
                ("utf8", "5B2FA1C0D3é", "letters of other scripts look alike"),
                ("empty", "  ", "nothing said")):
            row("uid-" + name, ["device-uid=" + text], NO_CERTIFICATE, why)

    def hosts(self) -> None:
        row = self.claims
        row("host", 'PaloAlto-Client-Hostname = "lt-4711 "\n', TRUSTED, "GlobalProtect's name",
            device=LAPTOP, names=["name:lt-4711"])
        row("host-longest", f'PaloAlto-Client-Hostname = "{"hi" * 63}h"\n', TRUSTED, "the longest",
            device=LAPTOP, names=["name:" + "hi" * 63 + "h"])
        row("host-first", 'PaloAlto-Client-Hostname = "other"\n'
            'PaloAlto-Client-Hostname = "LT-4711"\n', NO_CERTIFICATE, "the first counts",
            names=["name:other"])
        row("host-first-bad", 'PaloAlto-Client-Hostname = "a b"\n'
            'PaloAlto-Client-Hostname = "LT-4711"\n', NO_CERTIFICATE, "also one that is no name")
        for name, text in (("long", "hi" * 64), ("nul", "LT-4711\\000"), ("slash", "LT/4711"),
                           ("control", "LT-4711\\007")):
            row("host-" + name, f'PaloAlto-Client-Hostname = "{text}"\n', NO_CERTIFICATE,
                "no host's name")

    def platforms(self) -> None:
        row, uid = self.claims, "device-uid=5B2FA1C0D3"
        names = ["uid:5b2fa1c0d3"]
        good = (("win", "windows"), ("Windows", "windows"), ("mac-intel", "macos"),
                ("apple-ios", "ios"), ("android", "android"), ("linux-64", "linux"),
                ("win-phone", "other-mobile"))
        for number, (text, platform) in enumerate(good):
            row(f"platform-{number}", [uid, "device-platform=" + text], TRUSTED,
                "as AnyConnect writes it", device=LAPTOP, names=names, platform=platform)
        for number, (text, platform) in enumerate((
                ("Microsoft Windows 10 Pro , 64-bit", "windows"), ("Apple Mac OS X 13.4", "macos"),
                ("Google Chrome OS", "chromeos"))):
            row(f"platform-gp-{number}", f'mdm-tlv={uid}\nPaloAlto-Client-OS = "{text}"\n', TRUSTED,
                "as GlobalProtect writes it", device=LAPTOP, names=names, platform=platform)
        for name, text in (("unknown", "BeOS"), ("near", "wi"), ("percent", "%n%n%n%s"),
                           ("control", "\\033]0;windows"), ("nul", "win\\000dows"),
                           ("long", "windows" + "s" * 100), ("empty", "")):
            row("platform-bad-" + name, [uid, "device-platform=" + text], PLATFORM,
                "no platform that is known, where Windows alone is enabled", device=LAPTOP,
                names=names, site="windows")
        row("platform-enabled", [uid, "device-platform=win"], TRUSTED, "Windows alone is enabled",
            device=LAPTOP, names=names, platform="windows", site="windows")
        row("platform-not-enabled", [uid, "device-platform=android"], PLATFORM, "and this is not",
            device=LAPTOP, names=names, platform="android", site="windows")
        row("platform-twice", [uid, "device-platform=android", "device-platform=win"], PLATFORM,
            "the first counts", device=LAPTOP, names=names, platform="android", site="windows")
        row("platform-pair-first", f'PaloAlto-Client-OS = "Windows"\nmdm-tlv={uid}\n'
            'mdm-tlv=device-platform=android\n', PLATFORM, "what the pairs say comes first",
            device=LAPTOP, names=names, platform="android", site="windows")

    def trust(self) -> None:
        row, uid, names = self.claims, ["device-uid=5B2FA1C0D3"], ["uid:5b2fa1c0d3"]
        row("trust-not-named", uid, NO_CERTIFICATE, "what nobody proves counts where it is named",
            site="proved", device=LAPTOP, names=names)
        row("trust-looked-up", uid, UNAVAILABLE, "and Intune would have to be asked",
            site="looked-up", device=LAPTOP, names=names)
        row("trust-none", [], NO_CERTIFICATE, "nothing said")
        row("trust-several", ["device-uid=shared"], NO_CERTIFICATE,
            "a name of several devices is none's", names=["uid:shared"], says="several devices")
        row("trust-several-next", ["device-uid=shared", "device-mac=00-50-56-00-00-09"], TRUSTED,
            "the next name finds it", device=PHONE, names=["uid:shared", "mac:005056000009"])
        row("trust-unreadable", ["device-uid=broken"], NO_CERTIFICATE,
            "a row that cannot be read names nobody", names=["uid:broken"],
            says="unreadable")

    def lines(self) -> None:
        row, names = self.claims, ["uid:5b2fa1c0d3"]
        good = {"device": LAPTOP, "names": names}
        for name, text in (
                ("bare", "mdm-tlv=device-uid=5B2FA1C0D3"),
                ("no-prefix", 'Cisco-AVPair = "device-uid=5B2FA1C0D3"\n'),
                ("operator", 'cisco-avpair += "mdm-tlv=device-uid=5B2FA1C0D3"\r\n'),
                ("comma", '\tCisco-AVPair := "mdm-tlv=device-uid=5B2FA1C0D3",\n'),
                ("escaped", 'Cisco-AVPair = "mdm-tlv=device-uid=\\065B2FA1C0D3"\n'),
                ("others", '# a comment\n\nUser-Name = "ann"\nNAS-Port = 5\n'
                 'Cisco-AVPair = "ip:source-ip=10.0.0.1"\nCisco-AVPair = "no pair"\n'
                 'Cisco-AVPair = "mdm-tlv=device-uid=5B2FA1C0D3"\n')):
            row("line-" + name, text, TRUSTED, "as servers and clients write it", **good)
        for name, text, why in (
                ("key-case", "mdm-tlv=Device-Uid=5B2FA1C0D3", "Cisco's names have a case"),
                ("tlv-case", 'Cisco-AVPair = "MDM-TLV=device-uid=5B2FA1C0D3"\n',
                 "so has the prefix"),
                ("tlv-twice", "mdm-tlv=mdm-tlv=device-uid=5B2FA1C0D3", "one prefix"),
                ("key-blank", "mdm-tlv=device-uid =5B2FA1C0D3", "no blank before the sign"),
                ("key-longer", "mdm-tlv=device-uid-x=5B2FA1C0D3", "another key"),
                ("other-name", 'Reply-Message = "mdm-tlv=device-uid=5B2FA1C0D3"\n',
                 "another attribute")):
            row("line-" + name, text, NO_CERTIFICATE, why)
        for name, text in (
                ("no-end", 'Cisco-AVPair = "mdm-tlv=device-uid=5B2FA1C0D3\n'),
                ("behind", 'Cisco-AVPair = "mdm-tlv=device-uid=5B2FA1C0D3" x\n'),
                ("escape", 'Cisco-AVPair = "mdm-tlv=device-uid=5B2FA1C0D3\\q"\n'),
                ("sentence", "the device is 5B2FA1C0D3\n"),
                ("binary", b"\0\1\2\xff\xfe"),
                ("value-long", 'Cisco-AVPair = "mdm-tlv=device-uid=' + "x" * 240 + '"\n'),
                ("bare-long", "mdm-tlv=device-uid=" + "x" * 240 + "\n")):
            row("line-" + name, text, NO_CERTIFICATE, "no attribute that could come",
                says="line 1 is not an attribute")
        row("line-bad-then-good", "nonsense\nmdm-tlv=device-uid=5B2FA1C0D3\n", TRUSTED,
            "what cannot be read is not said; the rest is", says="line 1", **good)
        row("pairs-65th", "mdm-tlv=x=y\n" * 64 + "mdm-tlv=device-uid=5B2FA1C0D3\n", NO_CERTIFICATE,
            "64 pairs are looked at")
        row("pairs-64th", "mdm-tlv=x=y\n" * 63 + "mdm-tlv=device-uid=5B2FA1C0D3\n", TRUSTED,
            "all of them", **good)
        row("lines-many", "# x\n" * 256 + "mdm-tlv=device-uid=5B2FA1C0D3\n", NO_CERTIFICATE,
            "256 lines are looked at", says="more than 256")
