// gramjs-string and gramjs-store, with GramJS (`telegram`) or with teleproto, which became of it.

import fs from 'node:fs'
import path from 'node:path'

import { CHANNEL_MARK, dataCenter, home, isChannel } from './contents.mjs'

export class Driver {
    constructor(require, library) {
        const { AuthKey } = require(`${library}/crypto/AuthKey`)
        Object.assign(this, require(`${library}/sessions`), { AuthKey, Api: require(library).Api })
        this.bigInt = require('big-integer')
    }

    async write(format, where, contents) {
        const session = format === 'gramjs-store' ? this.store(where) : new this.StringSession('')
        const { id, key, host, port } = home(contents)
        session.setDC(id, host, port)
        const auth = new this.AuthKey()
        await auth.setKey(Buffer.from(key))
        session.setAuthKey(auth, id)
        if (format === 'gramjs-string') {
            fs.writeFileSync(where, session.save())
        } else {
            session.processEntities(contents.peers.map((peer) => this.entity(peer)))
        }
    }

    async read(format, where) {
        const store = format === 'gramjs-store'
        const session = store ? this.store(where) : new this.StringSession(fs.readFileSync(where, 'utf8').trim())
        await session.load()
        const { dcId: id, serverAddress: host, port } = session
        const dc = dataCenter({ id, key: session.getAuthKey(id).getKey(), host, port })
        const contents = { session: { dcs: [dc], home_dc: id } }
        if (store) contents.peers = this.peers(session)
        return contents
    }

    /** The library makes its folder in the current one. */
    store(where) {
        process.chdir(path.dirname(path.resolve(where)))
        return new this.StoreSession(path.basename(where))
    }

    entity(peer) {
        const id = this.bigInt(peer.id)
        const accessHash = this.bigInt(peer.access_hash ?? '0')
        const username = peer.usernames?.[0]
        const { name, phone } = peer
        if (id.isPositive()) return new this.Api.User({ id, accessHash, username, phone, firstName: name })
        const rest = { title: name, photo: new this.Api.ChatPhotoEmpty(), date: 0 }
        if (!isChannel(peer.id)) {
            return new this.Api.Chat({ id: id.negate(), participantsCount: 3, version: 1, ...rest })
        }
        return new this.Api.Channel({ id: id.add(CHANNEL_MARK).negate(), accessHash, username, ...rest })
    }

    peers(session) {
        const ids = session.store.keys().map((key) => key.slice(session.sessionName.length))
        return ids.filter((id) => /^-?\d+$/.test(id)).map((key) => {
            const [id, accessHash, username, phone, name, seen] = session.getEntityRowsById(key)
            const peer = { id: String(id), access_hash: String(accessHash), seen: Math.floor(Number(seen) / 1000) }
            if (username) peer.usernames = [username]
            if (phone) peer.phone = phone
            if (name) peer.name = name
            return peer
        })
    }
}
