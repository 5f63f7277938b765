"""The worst that a job may print, a line for each case: run as a job, it prints them, torn in two, and waits.

With ``plain`` as its argument it prints as many harmless lines.
"""

from __future__ import annotations

import os
import signal
import sys
import time

#: What stands on the screen when all is printed.
END = "that was all"

ESC, BEL, ST = b"\x1b", b"\x07", b"\x1b\\"

_C0 = [bytes([code]) for code in (*range(0x20), 0x7F) if code != 0x0A]
_C1 = [bytes([code]) for code in range(0x80, 0xA0)]
_STRINGS = b"]0;pwn ]2;pwn ]52;c;cHdu ]8;;http://pwn ]4;1;rgb:ff/00/00 ]11;? P$qm P+q544e _Gpwn ^pwn Xpwn".split(b" ")
_MODES = b"?1 ?3 ?5 ?6 ?7 ?25 ?47 ?69 ?1000 ?1004 ?1006 ?1049 ?2004 ?2026 4 20".split(b" ")
_TEXTS = [
    "[red]markup[/red] [/] [@click=app.quit]quit[/] \\[x]",
    "tabs\ta\tbb\tccc\t日本\tend",
    "\u05e9\u05dc\u05d5\u05dd \u202eevil\u202c \u2067mirror\u2069 \u200f\u061c \u0645\u0631\u062d\u0628\u0627 end",
    "family 👨\u200d👩\u200d👧\u200d👦 flags 🇩🇪🇫🇷🇺 skin 👍🏽🏿 keycap 1\ufe0f\u20e3 heart ❤\ufe0f text ☎\ufe0e end",
    "👨\u200d👩\u200d👧\u200d👦" * 60,
    "wide " + "日本語" * 60,
    "half\uff76\uff9e full \uff21 ambiguous ±×°α─ private \ue0b0\U000f0001 new \U0001fadf end",
    "z" + "\u0301\u0302\u0323\u0489" * 20 + "algo \u0e01\u0e33 \u0915\u094d\u0937 \u1112\u1161\u11ab end",
    "zero \u200b\u200c\u2060\ufeff\u00ad\u034f\u3164\uffa0\U000e0041\U000e007f end",
    "lines \u2028 \u2029 \u0085 end",
    "10 %\r50 %\r100 %",
]
_BROKEN = b"\xff\xfe \xc3( \xe2\x82 \xf0\x9f\x91 \xed\xa0\x80 \xc0\xaf \xf4\x90\x80\x80 \x80\xbf".split(b" ")

CASES: list[bytes] = [
    *_C0,
    *_C1,
    *(code.decode("latin-1").encode() for code in _C1),
    *(ESC + bytes([code]) for code in range(0x20, 0x7F) if code not in b"[]P_^X"),
    *(ESC + between + final for between in (b"(", b")", b"*", b"#", b"%") for final in (b"0", b"8", b"@")),
    *(ESC + b"[2;3" + bytes([code]) for code in range(0x40, 0x7F)),
    *(ESC + b"[" + mode + switch for mode in _MODES for switch in (b"h", b"l")),
    *(ESC + b"[" + odd for odd in (b">1u", b"=5u", b"!p", b"6n", b"c", b">c", b"2 q", b"22;0t", b"5;1'z", b"1$}", b"")),
    *(ESC + string + end for string in _STRINGS for end in (BEL, ST, b"\x9c", b"")),
    b"\x9d0;pwn\x9c",
    b"\x90pwn\x9c",
    b"\xc2\x9d0;pwn\xc2\x9c",
    *(text.encode() for text in _TEXTS),
    *_BROKEN,
]


def main() -> None:
    for number, case in enumerate(CASES):
        if sys.argv[1:] == ["plain"]:
            case = b"harmless"
        line = b"%03d " % number + case + b" x\n"
        half = 4 + max(len(case) // 2, 1)
        for part in (line[:half], line[half:]):
            os.write(1, part)
            time.sleep(0.002)  # so that the engine reads them apart
    print(END, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
