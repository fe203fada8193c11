"""Alerts by e-mail, through a real Kafka to a real SMTP server."""

from __future__ import annotations

import ssl

import orjson
import pytest

from notify import formats
from notify.mail_sender import MailSender
from sori.alerting.mail import recipients
from sori.errors import ConfigError
from sori.settings.notify import NotifySettings
from testkit.alerts import alert, producing, publish, subscribe, subscription
from testkit.certificates import Authority
from testkit.mailbox import PASSWORD, USER, Mailbox
from testkit.wait import wait_until

TO = "mailto:fraud@example.com"
NOW = "2026-11-24T14:50:02.284Z"
BODY = formats.mail_of(orjson.dumps(alert()), NOW, "https://sori.example.com")


def smtp(mailbox: Mailbox, **more: object) -> dict[str, object]:
    """Settings that lead to that server."""
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": mailbox.port,
        "smtp_tls": "off",
        "smtp_from": "sori@here.example",
    } | more


async def attempt(mailbox: Mailbox, to: str = TO, **more: object) -> tuple[int | None, str]:
    """What one attempt came to."""
    outcome = await MailSender(NotifySettings(**{"timeout_s": 5.0, **smtp(mailbox, **more)})).attempt(
        subscription(to), BODY
    )
    return outcome.status, outcome.error


async def test_new_graver_and_over_arrive_as_one_thread(topics, running):
    """Of an attack with ten updates: three mails, the story in the subject, one thread, a link."""

    def state(version: int, **changes: object) -> dict[str, object]:
        return alert(alert_id="a1", incident_id="inc_1", subject="dev_91c0", observed=64.0, version=version, **changes)

    log = [
        state(1),
        *[state(n, state="updated") for n in range(2, 7)],
        *[state(n, state="updated", severity="critical") for n in range(7, 12)],
        state(12, state="closed", severity="critical", closed_at=NOW),
    ]
    async with Mailbox().running() as mailbox, producing(topics) as producer:
        await subscribe(producer, topics, subscription(TO))
        await publish(producer, topics, *log)
        async with running(**smtp(mailbox)):
            await wait_until(lambda: len(mailbox.mails) >= 3)
    assert [mail["Subject"].partition(":")[0] for mail in mailbox.mails] == [
        "New, high",
        "Now critical",
        "Over, critical",
    ]
    assert "Device dev_91c0 clicked 64 times in 60 s" in mailbox.mails[0]["Subject"]
    assert len({mail["References"] for mail in mailbox.mails}) == 1
    assert mailbox.mails[0]["To"] == "fraud@example.com"


async def test_a_digest_is_one_mail_about_what_came_in_its_time(topics, running):
    """Twenty alerts of the past, each in its newest state."""
    first = [alert(alert_id=f"a{n}", subject=f"d{n}", version=1) for n in range(20)]
    over = [{**one, "version": 2, "state": "closed", "closed_at": NOW} for one in first[:15]]
    async with Mailbox(busy=2).running() as mailbox, producing(topics) as producer:
        await subscribe(producer, topics, subscription(TO, digest_s=2))
        await publish(producer, topics, *first, *over)
        async with running(**smtp(mailbox)):
            await wait_until(lambda: sum(mail.get_content().count("\n- ") for mail in mailbox.mails) >= 20)
    assert mailbox.rejections == 2
    told = "".join(mail.get_content() for mail in mailbox.mails)
    assert len(mailbox.mails) <= 3  # the two publishes may fall into two digests
    assert all(f"Device d{n} " in told for n in range(20))
    assert "fraud alerts in" in mailbox.mails[0]["Subject"]


async def test_a_server_that_is_away_or_busy_gets_it_later_and_once_by_its_id(topics, running):
    """Durable as webhooks are: the same Message-ID on every attempt."""
    async with Mailbox(busy=3).running() as mailbox, producing(topics) as producer:
        await subscribe(producer, topics, subscription(TO))
        await publish(producer, topics, alert(alert_id="a1"))
        async with running(**smtp(mailbox)):
            await wait_until(lambda: mailbox.mails)
        async with running(**smtp(mailbox)):
            await publish(producer, topics, alert(alert_id="a2"))
            await wait_until(lambda: len(set(mailbox.ids)) == 2)
    assert mailbox.rejections == 3


async def test_tls_and_a_login(tmp_path):
    """STARTTLS with a certificate of the authority that the settings name; another one is refused."""
    ours, others = Authority(tmp_path / "ours"), Authority(tmp_path / "others")
    pair = ours.issue("mail")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.cert, pair.key)
    login = {"smtp_username": USER, "smtp_password": PASSWORD, "smtp_tls": "starttls", "smtp_ca": str(ours.cert)}
    async with Mailbox().running(tls=context, login=True) as mailbox:
        assert await attempt(mailbox, **login) == (250, "")
        assert await attempt(mailbox, **{**login, "smtp_password": "x"}) == (None, "wrong_password")
        assert await attempt(mailbox, **{**login, "smtp_ca": str(others.cert)}) == (None, "tls")
    assert len(mailbox.mails) == 1


async def test_what_the_server_refuses_has_a_name():
    """One of two recipients is no failure, none of them is; nobody there, and no server set."""
    async with Mailbox(refused=frozenset({"gone@example.com"})).running() as mailbox:
        assert await attempt(mailbox, "mailto:gone@example.com") == (None, "refused_recipient")
        assert await attempt(mailbox, "mailto:gone@example.com,fraud@example.com") == (250, "")
        assert await attempt(mailbox, mail_domains="elsewhere.example") == (None, "forbidden_url")
        assert await attempt(mailbox, smtp_host="") == (None, "connect")
    assert await attempt(mailbox) == (None, "connect")
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    "url", ["mailto:", "mailto:a", "mailto:a@b,", "mailto:a%0d%0aBcc:x@y.example", "mailto:a@b?bcc=c@d", "mailto:a b@c"]
)
def test_what_is_no_address_is_refused(url):
    """Nothing of it reaches a header."""
    with pytest.raises(ConfigError):
        recipients(url)


def test_hostile_text_makes_no_header():
    """A device's name with line breaks in it."""
    hostile = alert(subject="x\r\nBcc: victim@example.com\r\n\r\nHello")
    mail = formats.mail_of(orjson.dumps(hostile), NOW)
    head = mail.partition(b"\r\n\r\n")[0]
    assert b"\nBcc:" not in head
