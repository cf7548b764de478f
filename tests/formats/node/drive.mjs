// Writes and reads sessions with a JavaScript library's own classes. tests/formats/README.md says what goes in and comes out.
//
//     node drive.mjs MODULES LIBRARY write FORMAT PATH < contents.json
//     node drive.mjs MODULES LIBRARY read FORMAT PATH
//
// MODULES is the folder in which install.sh put node_modules; LIBRARY is telegram, teleproto, mtcute or mtcute-convert.

import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const [modules, library, action, format, where] = process.argv.slice(2)
const module = {
    telegram: './gramjs.mjs',
    teleproto: './gramjs.mjs',
    mtcute: './mtcute.mjs',
    'mtcute-convert': './convert.mjs',
}[library]

const { Driver } = await import(module)
const driver = new Driver(createRequire(path.resolve(modules, 'package.json')), library)
const given = action === 'write' || format === 'tdata' ? JSON.parse(fs.readFileSync(0, 'utf8')) : undefined
if (action === 'write') {
    await driver.write(format, where, given)
} else if (action === 'read') {
    process.stdout.write(JSON.stringify(await driver.read(format, where, given)))
} else {
    throw new Error(`neither write nor read: ${action}`)
}
