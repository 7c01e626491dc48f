"""The pages that people see at Stripe: to pay, to prove who they are, to be onboarded. Plain HTML, no script.

They look nothing like Stripe's, so that nobody takes one for a place to type a real card number.
"""

from html import escape

from tikiwallet.stripe_standin.accounts import BANK_NUMBERS
from tikiwallet.stripe_standin.cards import CARDS
from tikiwallet.stripe_standin.errors import Thing

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 30rem; padding: 1.5rem 1rem; }
.stand-in { border: 2px dashed; border-radius: .5rem; font-size: .875rem; margin: 0 0 1.5rem; padding: .5rem .75rem; }
h1 { font-size: 1.125rem; font-weight: 600; margin: 0; }
.amount { font-size: 2.25rem; font-weight: 700; line-height: 1.2; margin: .25rem 0 1rem; }
label { display: block; font-weight: 600; margin: 1rem 0 .25rem; }
select, button { box-sizing: border-box; border-radius: .5rem; font: inherit; min-height: 3rem; padding: 0 .75rem;
  width: 100%; }
button { background: #3b4cca; border: 0; color: #fff; font-weight: 600; margin-top: 1rem; }
button.second { background: transparent; border: 1px solid; color: inherit; }
.no { border-inline-start: 4px solid #c0392b; margin: 1rem 0; padding: .25rem .75rem; }
"""
WITHOUT_CENTS = {"jpy", "krw", "vnd"}


def page(title: str, body: str) -> bytes:
    """Return a whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        '<p class="stand-in"><strong>Stand-in Stripe.</strong> For trying things out on this computer; no real money, '
        f"no real card.</p>{body}</main></body></html>"
    ).encode()


def amount_text(amount: int, currency: str) -> str:
    """Return an amount as the pages show it."""
    if currency in WITHOUT_CENTS:
        return f"{currency.upper()} {amount:,}"
    return f"{currency.upper()} {amount // 100:,}.{amount % 100:02d}"


def pay_page(session: Thing, lines: list[Thing], *, no: str = "") -> bytes:
    """Return the page on which a person pays, or saves a card."""
    is_payment = session["mode"] == "payment"
    title = ", ".join(line["name"] for line in lines) if is_payment else "Save a card"
    amount = amount_text(session["amount_total"], session["currency"]) if is_payment else ""
    choices = "".join(
        f'<option value="{card.number}">{card.number[:4]} … {card.number[-4:]}  {escape(card.title)}</option>'
        for card in CARDS.values()
    )
    leave = (
        f'<form method="post" action="/pay/{session["id"]}/cancel"><button class="second">Cancel and go back</button>'
        "</form>"
        if session["cancel_url"]
        else ""
    )
    return page(
        title,
        f'<h1>{escape(title)}</h1><p class="amount">{amount}</p>'
        + (f'<p class="no" role="alert">{escape(no)}</p>' if no else "")
        + f'<form method="post" action="/pay/{session["id"]}"><label for="card">Test card</label>'
        f'<select id="card" name="card">{choices}</select>'
        f"<button>{'Pay ' + amount if is_payment else 'Save this card'}</button></form>{leave}",
    )


def secure_page(intent: Thing) -> bytes:
    """Return the page of 3-D Secure."""
    shown = amount_text(intent["amount"], intent["currency"]) if "amount" in intent else "Save this card"
    return page(
        "3-D Secure",
        f'<h1>Your bank asks: is it you?</h1><p class="amount">{shown}</p>'
        f'<form method="post" action="/3ds/{intent["id"]}"><button name="answer" value="yes">Yes, it is me</button>'
        '<button class="second" name="answer" value="no">No, fail this</button></form>',
    )


def onboarding_page(link: Thing, account: Thing) -> bytes:
    """Return the page on which a person tells Stripe who they are and where money is to go."""
    choices = "".join(
        f'<option value="{number}">… {number[-4:]}  {f"payouts fail: {code}" if code else "payouts arrive"}</option>'
        for number, code in BANK_NUMBERS.items()
    )
    return page(
        "Tell us who you are",
        f"<h1>Tell us who you are</h1><p>Payouts in {escape(account['default_currency'].upper())} go to a bank account "
        "in your name. Here it is enough to choose one.</p>"
        f'<form method="post" action="/onboard/{link["id"]}"><label for="bank">Test bank account</label>'
        f'<select id="bank" name="bank">{choices}</select><button name="answer" value="fill">Save and go back</button>'
        '<button class="second" name="answer" value="leave">Leave without finishing</button></form>',
    )


def sentence_page(title: str, sentence: str) -> bytes:
    """Return a page that says one thing."""
    return page(title, f"<h1>{escape(title)}</h1><p>{escape(sentence)}</p>")
