// What @mtcute/convert reads and writes: other libraries' strings, GramJS's folder (reading) and tdata.

import fs from 'node:fs'
import path from 'node:path'

import { dataCenter, fromHex, hex, home, int64, number } from './contents.mjs'

const STRINGS = {
    'telethon-string': ['parseTelethonSession', 'serializeTelethonSession'],
    'pyrogram-string': ['parsePyrogramSession', 'serializePyrogramSession'],
    'gramjs-string': ['parseGramjsSession', 'serializeGramjsSession'],
    'mtkruto-string': ['parseMtkrutoSession', 'serializeMtkrutoSession'],
}

export class Driver {
    constructor(require) {
        Object.assign(this, require('@mtcute/convert'), { Long: require('@mtcute/core').Long })
    }

    async write(format, where, contents) {
        if (format === 'tdata') return this.writeTdata(where, contents)
        const { user, test_mode: isTest } = contents.session
        const { id: dcId, key: authKey, host: ipAddress, port, ipv6 } = home(contents)
        const session = { dcId, authKey, ipAddress, port, ipv6, isTest }
        if (user) Object.assign(session, { userId: Number(user.id), isBot: user.bot })
        if (format === 'pyrogram-string') session.apiId = Number(number(contents, 'api_id'))
        fs.writeFileSync(where, this[STRINGS[format][1]](session))
    }

    async read(format, where, given) {
        if (format === 'tdata') return this.readTdata(where, given)
        const session = format === 'gramjs-store'
            ? await this.readGramjsStoreSession(path.resolve(where))
            : this[STRINGS[format][0]](fs.readFileSync(where, 'utf8').trim())
        const { dcId: id, authKey: key, ipAddress: host, port, isTest, userId, isBot, apiId } = session
        const facts = { dcs: [dataCenter({ id, key, host, port })], home_dc: id }
        if (isTest !== undefined) facts.test_mode = isTest
        if (userId !== undefined) facts.user = { id: String(userId), dc: id, bot: isBot }
        const contents = { session: facts }
        if (apiId !== undefined) contents.attributes = [{ key: 'api_id', value: hex(int64(apiId)), secret: false }]
        return contents
    }

    async writeTdata(where, { accounts, passcode }) {
        const order = accounts.map((_, index) => index)
        const keyData = { count: accounts.length, order, active: 0 }
        fs.mkdirSync(where)
        const tdata = await this.Tdata.create({ path: where, passcode: passcode ?? undefined, keyData })
        for (const [index, { session }] of accounts.entries()) {
            const authKeys = session.dcs.map((dc) => ({ dcId: dc.id, key: fromHex(dc.auth) }))
            const userId = this.Long.fromString(session.user.id)
            await tdata.writeMtpAuthorization({ userId, mainDcId: session.home_dc, authKeys, authKeysToDestroy: [] }, index)
            await tdata.writeEmptyMapFile(index)
        }
    }

    async readTdata(where, { passcode }) {
        const tdata = await this.Tdata.open({ path: where, passcode: passcode ?? undefined, ignoreVersion: true })
        const accounts = []
        for (const index of tdata.keyData.order) {
            const { userId, mainDcId: dc, authKeys } = await tdata.readMtpAuthorization(index)
            const dcs = authKeys.map(({ dcId: id, key }) => ({ id, auth: hex(key) }))
            accounts.push({ session: { dcs, home_dc: dc, user: { id: userId.toString(), dc } } })
        }
        return { accounts }
    }
}
