// bridge_require_ocsp in real handshakes: a server that staples what `openssl ocsp` has made, or nothing, or anything else, and a
// broker with a bridge to it.

import assert from 'node:assert/strict'
import { type AddressInfo, connect } from 'node:net'
import { after, before, describe, type TestContext, test } from 'node:test'
import { createServer, type SecureVersion } from 'node:tls'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, type ClientCertificate, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { client } from '../support/deliveries.js'
import { until } from '../support/until.js'

const DAY = 86_400_000

/** A TLS server before a broker; returns its port. */
async function stapling(
  t: TestContext,
  broker: TestBroker,
  identity: ClientCertificate,
  response: Buffer | undefined,
  version: SecureVersion,
): Promise<number> {
  const server = createServer({ ...identity, minVersion: version, maxVersion: version }, (secured) => {
    const behind = connect(broker.port, '127.0.0.1')
    secured.on('error', () => behind.destroy()).on('close', () => behind.destroy())
    behind.on('error', () => secured.destroy()).on('close', () => secured.destroy())
    secured.pipe(behind).pipe(secured)
  })
  if (response !== undefined) server.on('OCSPRequest', (_certificate, _issuer, reply) => reply(null, response))
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

describe(`bridge_require_ocsp${skippedWithout}`, { skip: !hasOpenssl }, () => {
  let certificates: Certificates
  before(() => {
    certificates = new Certificates()
  })
  after(() => certificates.remove())

  interface Case {
    readonly name: string
    readonly response?: () => Buffer
    readonly identity?: () => ClientCertificate
    /** ms by which the clock of the broker is ahead. */
    readonly ahead?: number
    readonly lines?: string
    readonly fault?: string
  }

  const NOT_SIGNED = 'the OCSP response is not signed by its issuer'
  const cases: readonly Case[] = [
    { name: 'good', response: () => certificates.ocspResponse('server') },
    { name: 'good, named by SHA-256', response: () => certificates.ocspResponse('server', { hash: 'sha256' }) },
    { name: 'good, says a responder', response: () => certificates.ocspResponse('server', { signer: 'responder' }) },
    {
      name: 'good, says an authority below the one that is trusted',
      response: () => certificates.ocspResponse('below', { issuer: 'middle' }),
      identity: () => certificates.chained('below', 'middle'),
      lines: 'bridge_insecure true\n',
    },
    { name: 'nothing', fault: 'no OCSP response was stapled' },
    {
      name: 'nothing, bridge_insecure or not',
      lines: 'bridge_insecure true\n',
      fault: 'no OCSP response was stapled',
    },
    {
      name: 'revoked',
      response: () => certificates.ocspResponse('server', { entry: 'R' }),
      fault: 'revoked on 2026-09-03',
    },
    {
      name: 'unknown',
      response: () => certificates.ocspResponse('server', { entry: 'unknown' }),
      fault: 'the OCSP responder does not know it',
    },
    {
      name: 'a response that has expired',
      response: () => certificates.ocspResponse('server'),
      ahead: 3 * DAY,
      fault: 'the OCSP response expired on 20',
    },
    {
      name: 'good, of another certificate',
      response: () => certificates.ocspResponse('renewed'),
      fault: 'the OCSP response is for another certificate',
    },
    {
      name: 'good, says a client',
      response: () => certificates.ocspResponse('server', { signer: 'client' }),
      fault: 'the OCSP response is signed by a certificate that may not sign for its issuer',
    },
    {
      name: 'good, says an impostor, who is shown as the issuer too',
      response: () => certificates.ocspResponse('server', { issuer: 'forged_ca' }),
      identity: () => certificates.chained('server', 'forged_ca'),
      fault: NOT_SIGNED,
    },
    { name: 'garbage', response: () => Buffer.from('garbage'), fault: 'the OCSP response is malformed' },
  ]

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    for (const { name, response, identity, ahead = 0, lines = '', fault } of cases)
      test(`${version}, ${name}: ${fault ?? 'connects'}`, async (t) => {
        const remote = await startBroker({ debug: false })
        t.after(() => remote.stop())
        const shown = identity?.() ?? certificates.client('server')
        const port = await stapling(t, remote, shown, response?.(), version)
        const bridge = `connection b\naddress 127.0.0.1:${port}\ntopic # out 1\nbridge_require_ocsp true\n${lines}`
        const conf = `${bridge}bridge_cafile ${certificates.path('ca.crt')}\n`
        const local = await startBroker({ conf, debug: false, startsAt: Date.now() + ahead })
        t.after(() => local.stop())
        const logged = (pattern: RegExp) => local.log.find((line) => pattern.test(line))
        await until(
          () => logged(/^(Connected bridge|Error creating bridge b: )/) !== undefined,
          () => local.log.join('\n'),
        )
        if (fault !== undefined) {
          const reason = `127.0.0.1:${port}: certificate of the broker, 'localhost': ${fault}`
          assert.ok(logged(/^Error creating bridge b: /)?.includes(reason), local.log.join('\n'))
          return
        }
        const pub = await client(t, local, {})
        pub.publish({ topic: 'forwarded', payload: 'x', qos: 1, retain: true })
        const text = () => remote.broker.describe()
        await until(() => /\bforwarded\b/.test(text()), text)
      })
})
