"""The "no" of copies of payments, and of proofs made of them. As in problems.py, a docstring is the sentence."""

from tikiwallet.cli.problems import Problem


class FileTooLarge(Problem):
    """This file is larger than 20 MB. Split it into smaller ones, each with whole lines, and bring them one by one."""

    code = "file_too_large"


class FileUnwritable(Problem):
    """The file can't be written there. Everything is still stored in this wallet: run this again with another place."""

    code = "file_unwritable"


class NothingToCarry(Problem):
    """Nothing in this is a payment or a refusal that the operator could count. Ask for the copy again."""

    code = "nothing_to_carry"


class NothingProved(Problem):
    """The payments on this phone prove no double spend. If the operator finds one, he names it after your next sync."""

    code = "nothing_proved"


class RootKeyInvalid(Problem):
    """This isn't a root key. Give its 66 hex digits, or a file that holds them, such as the operator's root.pub."""

    code = "root_key_invalid"
