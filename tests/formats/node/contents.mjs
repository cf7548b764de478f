// What every driver needs of contents.json.

/** The home data center, its key, and the address that it has. */
export function home(contents) {
    const { dcs, home_dc: id } = contents.session
    const dc = dcs.find((each) => each.id === id)
    const address = dc.ipv4_addr ?? dc.ipv6_addr
    const colon = address?.lastIndexOf(':')
    return {
        id,
        key: fromHex(dc.auth),
        host: address?.slice(0, colon),
        port: address && Number(address.slice(colon + 1)),
        ipv6: dc.ipv4_addr === undefined && address !== undefined,
    }
}

export function dataCenter({ id, key, host, port }) {
    const dc = { id, auth: hex(key) }
    if (host) dc[host.includes(':') ? 'ipv6_addr' : 'ipv4_addr'] = `${host}:${port}`
    return dc
}

export const hex = (bytes) => Buffer.from(bytes).toString('hex')

export const fromHex = (text) => new Uint8Array(Buffer.from(text, 'hex'))

/** An attribute's bytes, or undefined. */
export function attribute(contents, key) {
    const found = contents.attributes?.find((each) => each.key === key)
    return found && fromHex(found.value)
}

/** An attribute that is a number, as a bigint, or undefined. */
export function number(contents, key) {
    const value = attribute(contents, key)
    return value && Buffer.from(value).readBigInt64LE()
}

export function int64(value) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(BigInt(value))
    return bytes
}

export const CHANNEL_MARK = 1_000_000_000_000n

export const isChannel = (id) => BigInt(id) < -CHANNEL_MARK
