// A flood of QoS 0 to a reader that never reads, beside a QoS 1 publisher to the same topic: does the broker's memory stay
// bounded, and does the publisher progress? Takes -p -d -s -b of the load generator; prints one line of JSON.
import { setTimeout as delay } from 'node:timers/promises'
import { LoadConnection } from './load-connection.js'
import { parseLoadOptions } from './load-options.js'
import { publishFrame } from './wire.js'

const TOPIC = 'bench/flood'
const BLOCK_BYTES = 65_536
/** Blocks handed to the system at once; the next follows when one is taken. */
const BLOCKS_UNDER_WAY = 2

const { port, seconds, size, inFlight } = parseLoadOptions(process.argv.slice(2))
let flooded = 0
let acks = 0
let isReaderLost = false
let isRunning = true

const reader = await LoadConnection.open(port, { clientId: 'reader' })
await reader.subscribe([TOPIC], 1)
reader.start({ onFrame: () => undefined, onLost: () => (isReaderLost = true) })
reader.stopReading()

const flooder = await LoadConnection.open(port, { clientId: 'flooder' })
flooder.start({ onFrame: () => undefined })
const frame = publishFrame(TOPIC, 0, size).bytes
const copies = Math.ceil(BLOCK_BYTES / frame.length)
const block = Buffer.concat(Array.from({ length: copies }, () => frame))
function flood(): void {
  flooder.write(block, () => {
    flooded += copies
    if (isRunning) flood()
  })
}
for (let i = 0; i < BLOCKS_UNDER_WAY; i++) flood()

const publisher = await LoadConnection.open(port, { clientId: 'publisher' })
const acknowledged = publishFrame(TOPIC, 1, 16)
let packetId = 0
function publish(): void {
  packetId = (packetId % 65_535) + 1
  acknowledged.bytes.writeUInt16BE(packetId, acknowledged.packetIdAt)
  publisher.append(acknowledged.bytes)
}
publisher.start({
  onFrame: () => {
    acks++
    publish()
  },
  afterRead: () => publisher.flush(),
})
for (let i = 0; i < inFlight; i++) publish()
publisher.flush()

const startedAt = performance.now()
await delay(seconds * 1000)
isRunning = false
const elapsed = (performance.now() - startedAt) / 1000
console.log(
  JSON.stringify({
    flood_s: Math.round(flooded / elapsed),
    acks_s: Math.round(acks / elapsed),
    reader_disconnected: isReaderLost,
  }),
)
for (const connection of [reader, flooder, publisher]) connection.close()
