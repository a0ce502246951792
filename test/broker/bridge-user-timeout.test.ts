// bridge_tcp_user_timeout with the system's own account: the other end of a bridge stops reading, over each transport. Time is the
// broker's fake clock.

import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { hasTcpTable } from '../../src/net/tcp-table.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl } from '../support/certificates.js'
import { CuttingProxy } from '../support/cutting-proxy.js'
import { client } from '../support/deliveries.js'
import { until } from '../support/until.js'

const skip = !hasTcpTable()
const withoutTable = skip ? ' (skipped: no /proc/net/tcp here)' : ''
const withoutOpenssl = hasOpenssl ? '' : ' (skipped: no openssl here)'

/** More than systems keep for a reader that does not read. */
const MESSAGES = 12
const BYTES = 900_000
const SECURE = 'certfile CERTS/server.crt\nkeyfile CERTS/server.key\n'

const transports = [
  { name: 'TCP', server: '', scheme: '', lines: '' },
  { name: 'WebSocket', server: 'protocol websockets\n', scheme: 'ws://', lines: '' },
  { name: 'TLS', server: SECURE, scheme: '', lines: 'bridge_cafile CERTS/ca.crt\n' },
  {
    name: 'TLS and WebSocket',
    server: `${SECURE}protocol websockets\n`,
    scheme: 'wss://',
    lines: 'bridge_cafile CERTS/ca.crt\n',
  },
]

interface Stalled {
  /** The messages that the other end has taken. */
  readonly taken: ReadonlySet<number>
  readonly local: TestBroker
}

/** A bridge that has sent more than the other end, which has stopped reading, takes. */
async function stalled(
  t: TestContext,
  { server, scheme, lines }: (typeof transports)[number],
  put: (text: string) => string,
): Promise<Stalled> {
  const taken = new Set<number>()
  const publish: Plugin['publish'] = ({ payload }) => void taken.add(Number.parseInt(payload.toString(), 10))
  const remote = await startBroker({ conf: put(server), debug: false, plugins: [{ name: 'taker', publish }] })
  t.after(() => remote.stop())
  const proxy = await CuttingProxy.open(remote.port)
  t.after(() => proxy.close())
  const address = `${scheme}127.0.0.1:${proxy.port}`
  const bridge = `connection b\naddress ${address}\nremote_clientid b\nrestart_timeout 1\nkeepalive_interval 65535\n`
  const local = await startBroker({
    conf: put(`${bridge}${lines}bridge_tcp_user_timeout 5000\nnotifications false\ntopic a out 1\n`),
    debug: false,
  })
  t.after(() => local.stop())
  await untilLogged(local, /^Connected bridge/)
  proxy.stall()
  const pub = await client(t, local, {})
  for (let number = 0; number < MESSAGES; number++)
    pub.publish({ topic: 'a', payload: `${number}`.padEnd(BYTES, '.'), qos: 1, packetId: number + 1 })
  await pub.settled()
  return { taken, local }
}

async function untilLogged(broker: TestBroker, pattern: RegExp): Promise<void> {
  await until(
    () => broker.log.some((line) => pattern.test(line)),
    () => `${pattern}:\n${broker.log.join('\n')}`,
  )
}

/** Lets time pass until it is so. */
async function timePasses(broker: TestBroker, condition: () => boolean): Promise<void> {
  await until(
    () => {
      if (condition()) return true
      broker.advance(0.5)
      return false
    },
    () => broker.log.join('\n'),
  )
}

describe(`bridge_tcp_user_timeout${withoutTable}`, { skip }, () => {
  let certificates: Certificates | undefined
  const put = (text: string) => text.replaceAll('CERTS', certificates?.folder ?? '')

  before(() => {
    if (hasOpenssl) certificates = new Certificates()
  })
  after(() => certificates?.remove())

  for (const transport of transports) {
    const isSecure = transport.server.startsWith(SECURE)
    const options = { skip: isSecure && !hasOpenssl }
    test(
      `${transport.name}: the reason is told, and nothing is lost${isSecure ? withoutOpenssl : ''}`,
      options,
      async (t) => {
        const { taken, local } = await stalled(t, transport, put)
        const ended = () => local.log.filter((line) => /^Client .* disconnected/.test(line))
        await timePasses(local, () => ended().length > 0)
        assert.match(
          ended().join('\n'),
          /^Client local\.b \[127\.0\.0\.1:\d+\] disconnected: connection lost: data sent was not acknowledged for 5000 ms \(bridge_tcp_user_timeout\)\.$/,
        )
        assert.ok(local.log.includes('Bridge b next backoff will be 1000 ms'))
        local.advance(1)
        await until(
          () => taken.size === MESSAGES,
          () => `${[...taken]} of ${MESSAGES}`,
        )
        assert.deepEqual(
          [...taken],
          Array.from({ length: MESSAGES }, (_, number) => number),
        )
      },
    )
  }

  test('a bridge that is taken away does not wait for the other end any longer either', async (t) => {
    const [tcp] = transports
    assert.ok(tcp)
    const { local } = await stalled(t, tcp, put)
    const { sessions } = local.broker
    local.reload({ conf: '' })
    assert.notEqual(sessions.get('local.b'), undefined)
    await timePasses(local, () => sessions.get('local.b') === undefined)
    assert.doesNotMatch(local.log.join('\n'), /Error/)
  })
})
