// mtcute (its SQLite file) and mtcute-string, with a client of @mtcute/node that never connects.

import fs from 'node:fs'

import { attribute, dataCenter, fromHex, hex, home, int64, number } from './contents.mjs'

const KV = 'mtcute.kv/'
const TEMP = 'mtcute.temp/'
const REF = 'mtcute.ref/p/'
const OURS = /^(updates_|dc_main$|current_user$)/

export class Driver {
    constructor(require) {
        Object.assign(this, require('@mtcute/node'), require('@mtcute/core/utils.js'))
    }

    async write(format, where, contents) {
        const string = format === 'mtcute-string'
        const client = await this.client(string ? undefined : where, contents.session.test_mode)
        await this.fill(client, contents)
        if (string) {
            fs.writeFileSync(where, await client.exportSession())
        } else {
            await this.keep(client, contents)
        }
        await client.mt.storage.save()
        await client.destroy()
    }

    async read(format, where) {
        const string = format === 'mtcute-string'
        const text = string && fs.readFileSync(where, 'utf8').trim()
        const client = await this.client(string ? undefined : where, string && this.readStringSession(text).primaryDcs.main.testMode)
        if (string) await client.importSession(text, true)
        const contents = await this.facts(client)
        if (!string) Object.assign(contents, await this.kept(client))
        await client.destroy()
        return contents
    }

    async client(file, testMode) {
        const storage = file === undefined ? new this.MemoryStorage() : new this.SqliteStorage(file, { disableWal: true })
        const client = new this.BaseTelegramClient({ apiId: 1, apiHash: '', storage, testMode })
        await client.prepare()
        return client
    }

    async fill(client, contents) {
        const { id, host, port, ipv6 } = home(contents)
        const { dcs, test_mode: testMode, user, state } = contents.session
        const main = { id, ipAddress: host, port, ipv6, testMode }
        await client.mt.storage.dcs.store({ main, media: main })
        for (const dc of dcs) await client.mt.storage.provider.authKeys.set(dc.id, fromHex(dc.auth))
        if (user) {
            const flags = number(contents, 'user_flags') ?? 0n
            const usernames = attribute(contents, 'user_usernames')
            await client.storage.self.store({
                userId: Number(user.id),
                isBot: user.bot,
                isPremium: (flags & 1n) !== 0n,
                usernames: usernames ? Buffer.from(usernames).toString().split('\n') : user.username ? [user.username] : [],
            })
        }
        if (state) {
            const { updates } = client.storage
            await updates.setPts(state.pts)
            await updates.setQts(state.qts)
            await updates.setDate(state.date)
            await updates.setSeq(state.seq)
            await updates.setManyChannelPts(new Map(state.channels.map((each) => [Number(each.id), each.pts])))
        }
    }

    async keep(client, contents) {
        const { authKeys, kv, peers, refMessages } = client.storage.provider
        for (const peer of contents.peers) {
            await peers.store({
                id: Number(peer.id),
                accessHash: peer.access_hash === undefined ? '' : this.longToFastString(this.Long.fromString(peer.access_hash)),
                isMin: peer.min ?? false,
                usernames: peer.usernames ?? [],
                updated: peer.seen * 1000,
                phone: peer.phone,
                complete: fromHex(peer.extra?.['mtcute.complete'] ?? ''),
            })
        }
        for (const { key, value: text } of contents.attributes) {
            const value = fromHex(text)
            if (key.startsWith(KV)) await kv.set(key.slice(KV.length), value)
            if (key.startsWith(TEMP)) {
                const [dc, index] = key.slice(TEMP.length).split('.').map(Number)
                const expires = Number(Buffer.from(value).readBigInt64LE())
                await authKeys.setTemp(dc, index, value.slice(8), expires)
            }
            if (key.startsWith(REF)) await refMessages.store(...key.slice(REF.length).split('/').map(Number))
        }
    }

    async facts(client) {
        const { main } = await client.mt.storage.dcs.fetch()
        const { authKeys } = client.mt.storage.provider
        const dcs = []
        for (let id = 1; id < 1000; id++) {
            const key = await authKeys.get(id)
            const address = id === main.id ? { host: main.ipAddress, port: main.port } : {}
            if (key) dcs.push(dataCenter({ id, key, ...address }))
        }
        const self = await client.storage.self.fetch()
        const user = self && { id: String(self.userId), dc: main.id, bot: self.isBot }
        if (self?.usernames.length) user.username = self.usernames[0]
        return { session: { dcs, home_dc: main.id, test_mode: Boolean(main.testMode), user } }
    }

    /** What only the file has. The library does not list its rows, so that which there are is what its own connection says. */
    async kept(client) {
        const { authKeys, kv, peers } = client.storage.provider
        const rows = (sql) => client.mt.storage.driver.db.prepare(sql).all()
        const attributes = []
        const state = await client.storage.updates.getState()
        const channels = []
        for (const { key } of rows('select key from key_value')) {
            const channel = key.startsWith('updates_channel:') && key.slice('updates_channel:'.length)
            if (channel) channels.push({ id: channel, pts: await client.storage.updates.getChannelPts(Number(channel)) })
            if (!OURS.test(key)) attributes.push({ key: KV + key, value: hex(await kv.get(key)), secret: false })
        }
        for (const { dc, idx, expires } of rows('select dc, idx, expires from temp_auth_keys')) {
            const value = Buffer.concat([int64(expires), await authKeys.getTemp(dc, idx, 0)])
            attributes.push({ key: `${TEMP}${dc}.${idx}`, value: hex(value), secret: true })
        }
        for (const { peer_id, chat_id, msg_id } of rows('select * from message_refs')) {
            attributes.push({ key: `${REF}${peer_id}/${chat_id}/${msg_id}`, value: '', secret: false })
            attributes.push({ key: `mtcute.ref/m/${chat_id}/${msg_id}/${peer_id}`, value: '', secret: false })
        }
        const self = await client.storage.self.fetch()
        if (self) {
            attributes.push({ key: 'user_flags', value: hex(int64(self.isPremium ? 1 : 0)), secret: false })
            attributes.push({ key: 'user_usernames', value: hex(Buffer.from(self.usernames.join('\n'))), secret: false })
        }
        const found = []
        for (const { id } of rows('select id from peers order by id')) found.push(await this.peer(peers, id))
        const facts = await this.facts(client)
        const [pts, qts, date, seq] = state ?? []
        facts.session.state = state && { pts, qts, date, seq, channels }
        return { ...facts, peers: found, attributes }
    }

    async peer(peers, id) {
        const { accessHash, isMin, usernames, updated, phone, complete } = await peers.getById(id)
        const others = [...usernames.map((name) => peers.getByUsername(name)), ...(phone ? [peers.getByPhone(phone)] : [])]
        for (const other of isMin ? [] : await Promise.all(others)) {
            if (other?.id !== id) throw new Error(`mtcute does not find ${id} by its other name`)
        }
        const peer = { id: String(id), min: isMin, usernames, seen: Math.floor(updated / 1000) }
        if (accessHash !== '') peer.access_hash = this.longFromFastString(accessHash).toString()
        if (phone) peer.phone = phone
        if (complete?.length) peer.extra = { 'mtcute.complete': hex(complete) }
        return peer
    }
}
