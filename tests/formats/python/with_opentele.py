"""tdata, with opentele2: several accounts at once, and a passcode."""

from opentele2._native import Account, TData

from contents import data_center


def write(format, path, given):
    accounts = [account(index, contents["session"]) for index, contents in enumerate(given["accounts"])]
    # Without its "performance mode", which writes one and the same local key into every folder.
    TData.new(accounts, given.get("passcode") or "", False, 0).save(path, False)


def account(index, session):
    keys = [(dc["id"], bytes.fromhex(dc["auth"])) for dc in session["dcs"]]
    return Account(index, int(session["user"]["id"]), session["home_dc"], keys)


def read(format, path, given):
    folder = TData.load(path, given.get("passcode") or "")
    return {"accounts": [{"session": facts(account)} for account in folder.accounts]}


def facts(account):
    return {
        "dcs": [data_center(dc, key) for dc, key in sorted(account.keys)],
        "home_dc": account.main_dc,
        "user": {"id": str(account.user_id), "dc": account.main_dc},
    }
