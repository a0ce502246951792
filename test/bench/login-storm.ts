// Many clients with a name and password that connect at once, and the delivery latency of another pair meanwhile.
// -C clients (`user0` … with the password in STORM_PASSWORD), -r publishes a second of the pair, -d seconds to measure at least,
// -p port; prints one line of JSON.
import { setTimeout as delay } from 'node:timers/promises'
import { Latencies } from './latencies.js'
import { LoadConnection } from './load-connection.js'
import { parseLoadOptions } from './load-options.js'
import { STORM_PASSWORD } from './storm-users.js'
import { publishFrame } from './wire.js'

const TOPIC = 'bench/pair'
const PAYLOAD_BYTES = 16
const WARM_UP_MS = 1000

const { port, idle: clients, rate, seconds } = parseLoadOptions(process.argv.slice(2))
const latencies = new Latencies()

const subscriber = await LoadConnection.open(port, { clientId: 'pair-subscriber' })
await subscriber.subscribe([TOPIC], 0)
subscriber.start({
  onFrame: (bytes, _start, _body, end) => latencies.add(performance.now() - bytes.readDoubleLE(end - PAYLOAD_BYTES)),
})
const publisher = await LoadConnection.open(port, { clientId: 'pair-publisher' })
publisher.start({ onFrame: () => undefined })
const frame = publishFrame(TOPIC, 0, PAYLOAD_BYTES)
const ticking = setInterval(() => {
  frame.bytes.writeDoubleLE(performance.now(), frame.payloadAt)
  publisher.append(frame.bytes)
  publisher.flush()
}, 1000 / rate)

await delay(WARM_UP_MS)
const before = latencies.percentiles()
latencies.clear()

const startedAt = performance.now()
const logins = await Promise.allSettled(
  Array.from({ length: clients }, async (_, index) => {
    const username = `user${index}`
    const connection = await LoadConnection.open(port, { clientId: username, username, password: STORM_PASSWORD })
    connection.start({ onFrame: () => undefined })
    return connection
  }),
)
const elapsed = (performance.now() - startedAt) / 1000
await delay(Math.max(0, seconds - elapsed) * 1000)
clearInterval(ticking)
const accepted = logins.filter((login) => login.status === 'fulfilled')
console.log(
  JSON.stringify({
    logins_s: Number((accepted.length / elapsed).toFixed(1)),
    refused: clients - accepted.length,
    lat_us: latencies.percentiles(),
    lat_us_before: before,
  }),
)
for (const login of accepted) login.value.close()
subscriber.close()
publisher.close()
