// A process of its own for files.test: opens a store, writes to it, says so, and waits to be killed.

import { LmdbStore } from '../../src/store/lmdb-store.js'
import { batchOf, write } from './stores.js'

const store = await LmdbStore.open(process.argv[2] ?? '')
await write(store, batchOf([['\x01a', 'kept']]))
process.send?.('written')
setInterval(() => {}, 1000)
