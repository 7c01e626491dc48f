"""Every "no" of the command line: a stable code for programs, a sentence for people, an exit status for scripts.

A person at a counter can't read a traceback, and a script can't read a sentence, so each problem carries both and says
what to do next. The docstring of a class is its sentence; docs/cli.md lists all of them.
"""

from enum import IntEnum
from typing import ClassVar

from tikicash.errors import Rejected


class Exit(IntEnum):
    """What `tiki` tells the shell."""

    OK = 0
    REFUSED = 1  # a "no" with a reason
    USAGE = 2  # the command line itself was wrong
    NO_NETWORK = 3  # the server can't be reached; offline commands still work
    BUG = 4  # tiki itself is at fault


class Problem(Exception):
    """A "no" that goes straight to the person. `facts` are further fields for programs."""

    code: str
    exit_status: ClassVar[Exit] = Exit.REFUSED
    headline: str = ""  # a verdict to be read across a counter

    def __init__(self, detail: str = "", **facts: str | int) -> None:
        super().__init__(detail or self.sentence())
        self.detail = detail or self.sentence()
        self.facts = facts

    @classmethod
    def sentence(cls) -> str:
        """Return the docstring as one line: the sentence for the person."""
        return " ".join((cls.__doc__ or "").split())


class WalletMissing(Problem):
    """There is no wallet in this folder. Run `tiki register` or `tiki login` first, or name another with --wallet."""

    code = "wallet_missing"


class WalletDamaged(Problem):
    """This wallet's store can't be read. Move the folder away and keep it, then run `tiki login`: your money is not
    lost, it comes home by its dates."""  # fmt: skip

    code = "wallet_damaged"


class WalletUnreadable(Problem):
    """This wallet's folder can't be read or written. Check that it is yours and that the disk isn't full."""

    code = "wallet_unreadable"


class WalletBusy(Problem):
    """Another tiki command is using this wallet. Wait until it is done, then run this again."""

    code = "wallet_busy"


class WalletOfAnother(Problem):
    """This folder is somebody else's wallet. Choose a folder of your own with --wallet."""

    code = "wallet_of_another"


class WalletRestored(Problem):
    """This folder is a copy or an older state of a wallet, so its key is retired and nothing held by it is spent again;
    that money comes home by its date. Run `tiki sync` to go on with a new key."""  # fmt: skip

    code = "wallet_restored"


class PhoneRetired(Problem):
    """This phone was retired from another place, so its key is given up and what it holds comes home by its date. Run
    `tiki sync` again to go on with a new key."""  # fmt: skip

    code = "phone_retired"


class PhoneBlocked(Problem):
    """There is a proof that this phone's key signed the same money to two people, so nobody takes its money any more.
    What it holds comes home by its dates, or sooner with `tiki unload`; what it was paid is still credited.
    """

    code = "phone_blocked"


class PermissionsTooOpen(Problem):
    """Other people on this machine can read this wallet's secrets. Close it with chmod 600, then run this again."""

    code = "permissions_too_open"


class KeyMissing(Problem):
    """This wallet's key file is gone. Run `tiki phones replace` for a new key; the money of the old one comes home by
    its date."""  # fmt: skip

    code = "key_missing"


class KeyDamaged(Problem):
    """This wallet's key file can't be read. Run `tiki phones replace` for a new key; the money of the old one comes
    home by its date."""  # fmt: skip

    code = "key_damaged"


class PassphraseWrong(Problem):
    """This passphrase doesn't open this wallet's key. Try again; if it is lost, run `tiki phones replace`."""

    code = "passphrase_wrong"


class PassphraseMissing(Problem):
    """This wallet's key has a passphrase. Give it with --passphrase-file or TIKI_PASSPHRASE, or run this in a
    terminal."""  # fmt: skip

    code = "passphrase_missing"


class PasswordMissing(Problem):
    """A password is needed. Give it with --password-file or TIKI_PASSWORD, or run this in a terminal."""

    code = "password_missing"


class SecretUnreadable(Problem):
    """The file with the password or passphrase can't be read. Check its name and that it is yours."""

    code = "secret_unreadable"


class StateUnwritable(Problem):
    """Tiki can't write its second record of this wallet, so nothing was shown. Check the disk, then run this again."""

    code = "state_unwritable"


class NeverOnline(Problem):
    """This wallet has never been online. Run `tiki login` and `tiki sync` once; offline payments work from then on."""

    code = "never_online"


class NotSignedIn(Problem):
    """You are not signed in. Run `tiki login`; offline commands work without it."""

    code = "not_signed_in"


class SecondProofNeeded(Problem):
    """This folder is new to you, so we sent a code to your phone. Run `tiki login --code CODE`."""

    code = "second_proof_needed"


class NewSignIn(Problem):
    """There is something new about who is signed in to your account. Run `tiki sessions` to see whether it was you."""

    code = "new_sign_in"


class SignInUnknown(Problem):
    """You have no other sign-in with this id, or several whose ids begin so. Run `tiki sessions` for the list."""

    code = "sign_in_unknown"


class SessionEndsLater(Problem):
    """You are signed out here. The server couldn't be told; the session ends there by itself within 6 hours."""

    code = "session_ends_later"


class PhoneMissing(Problem):
    """This wallet doesn't know your phone number yet. Run `tiki login PHONE`."""

    code = "phone_missing"


class PhoneRegisteredOtherwise(Problem):
    """This phone's key is registered, and whether it may pay never changes. Run `tiki phones replace` with this option
    for a new key."""  # fmt: skip

    code = "phone_registered_otherwise"


class PhoneUnknown(Problem):
    """You have no phone with this id, or several whose ids begin so. Run `tiki phones` for the list."""

    code = "phone_unknown"


class RequestUnknown(Problem):
    """There is no request with this id, or several begin so. Run `tiki requests` for the list."""

    code = "request_unknown"


class RegistrationMissing(Problem):
    """No sign-up is waiting for a code in this wallet. Run `tiki register` first."""

    code = "registration_missing"


class ChangeMissing(Problem):
    """No change waits for a code in this wallet. Run `tiki password forgot` or `tiki number change` first."""

    code = "change_missing"


class NotConfirmed(Problem):
    """Stopped, because you didn't say yes. Nothing has happened."""

    code = "not_confirmed"


class Interrupted(Problem):
    """Stopped. What was done is stored; run the same command again to go on."""

    code = "interrupted"


class AmountInvalid(Problem):
    """This isn't an amount. Write it with digits and a point, such as 12.50, greater than zero."""

    code = "amount_invalid"


class MemoInvalid(Problem):
    """An offline note is one line of visible text, at most 128 bytes. Write a shorter one."""

    code = "memo_invalid"


class ReasonInvalid(Problem):
    """A reason is one word of small letters and underscores, such as not_wanted, at most 40 characters."""

    code = "reason_invalid"


class CodeFileUnreadable(Problem):
    """This file with a code can't be read. Check its name, or paste the text of the code itself in quotes."""

    code = "code_file_unreadable"


class NoCodeInPicture(Problem):
    """There is no TikiWallet code in this picture. Take it again, closer and without blur."""

    code = "no_code_in_picture"


class PictureTooLarge(Problem):
    """This picture is too large to look through. Cut it down to the code, or take a smaller one."""

    code = "picture_too_large"


class PictureUnwritable(Problem):
    """The picture of the code can't be written there. The payment is stored: run `tiki offline show` with another
    place."""  # fmt: skip

    code = "picture_unwritable"


class WrongKindOfCode(Problem):
    """This is a TikiWallet code, but not one for this command."""

    code = "wrong_kind_of_code"


class NothingStored(Problem):
    """This wallet has no offline request or payment with this id. Run `tiki offline show` for the list."""

    code = "nothing_stored"


class NotForYou(Problem):
    """This payment goes to another phone, so only that phone can refuse it."""

    code = "not_for_you"


class AlreadyAccepted(Problem):
    """You accepted this payment, so it can't be refused any more. Give it back with `tiki offline refund`."""

    code = "already_accepted"


class AlreadyAnswered(Problem):
    """This payment has an answer already: nothing to change."""

    code = "already_answered"


class AlreadyRefused(Problem):
    """You refused this payment. Show the payer a new request if you want to be paid after all."""

    code = "already_refused"


class RefundWaiting(Problem):
    """You gave back another amount of this payment, and no receipt came yet. Run this without an amount to show it
    again, or with --again to give back this amount as well."""  # fmt: skip

    code = "refund_waiting"


class PayeeIsYou(Problem):
    """This is your own request. Let the payer scan it."""

    code = "payee_is_you"


class RequestReused(Problem):
    """This request has the number of another one that you paid. Don't pay; ask for a fresh request."""

    code = "request_reused"


class AskedBefore(Problem):
    """You asked for exactly this before and the answer was lost. This is that answer: it happened once. To have it a
    second time, run the command again."""  # fmt: skip

    code = "asked_before"


class NothingToHandBack(Problem):
    """There is no offline money in this wallet that could go back."""

    code = "nothing_to_hand_back"


class NetworkChanged(Problem):
    """This server signs with another root key than the one this wallet trusts. Check the address with --server; a
    wallet belongs to one network for ever."""  # fmt: skip

    code = "network_changed"


class ServerUnreachable(Problem):
    """The server can't be reached. Offline commands still work; run this again when there is a network."""

    code = "server_unreachable"
    exit_status = Exit.NO_NETWORK


class ServerUnexpected(Problem):
    """Something answered, but not as a TikiWallet server does. Check the address with --server."""

    code = "server_unexpected"


class ServerNotSafe(Problem):
    """This address has no encryption (http://), and it isn't on this machine. Use https://, so that nobody on the way
    reads your password."""  # fmt: skip

    code = "server_not_safe"


class Bug(Problem):
    """Something in tiki itself went wrong. What was stored is safe; please report the file tiki-error.txt."""

    code = "bug"
    exit_status = Exit.BUG


class ServerSaidNo(Problem):
    """The server refused."""

    def __init__(self, code: str, detail: str, *, status: int, **facts: str | int) -> None:
        super().__init__(detail, status=status, **facts)
        self.code = code
        self.status = status


class ProtocolSaidNo(Problem):
    """The rules of offline money refused."""

    def __init__(self, rejected: Rejected, detail: str = "", *, headline: str = "") -> None:
        super().__init__(detail or rejected.sentence)
        self.headline = headline
        self.code = rejected.code
