// TLS listeners and clients that nobody here wrote: mosquitto_pub, mosquitto_sub, MQTT.js over mqtts and wss.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { connectAsync, type IClientOptions } from 'mqtt'
import { Certificates } from '../support/certificates.js'
import { killPrograms, Program } from '../support/program.js'
import { startTsmq, type TsmqProcess } from '../support/tsmq-process.js'
import { pathOf, suite } from './programs.js'

const PUB = pathOf('mosquitto_pub')
const SUB = pathOf('mosquitto_sub')

let certificates: Certificates
const brokers: TsmqProcess[] = []

async function start(conf: string): Promise<TsmqProcess> {
  const lines = `certfile {c}/server.crt\nkeyfile {c}/server.key\nallow_anonymous true\n${conf}`
  const broker = await startTsmq({ conf: lines.replaceAll('{c}', certificates.folder) })
  brokers.push(broker)
  return broker
}

async function stop(): Promise<void> {
  for (const broker of brokers.splice(0)) {
    assert.equal(await broker.stop(), 0)
    assert.doesNotMatch(broker.program.stderr, /Internal error/)
  }
  killPrograms()
  certificates.remove()
}

const made = () => {
  certificates = new Certificates()
}

describe(...suite('mosquitto_pub and mosquitto_sub over TLS', ['openssl', PUB, SUB]), () => {
  before(made)
  after(stop)

  const at = (broker: TsmqProcess, name: string) => [
    '-h',
    'localhost',
    '-p',
    `${broker.port}`,
    ...trust('ca'),
    ...own(name),
  ]
  const trust = (name: string) => ['--cafile', certificates.path(`${name}.crt`)]
  const own = (name: string) =>
    name === '' ? [] : ['--cert', certificates.path(`${name}.crt`), '--key', certificates.path(`${name}.key`)]

  test('a message there and back', async () => {
    const broker = await start('log_type all')
    const sub = new Program(SUB, [...at(broker, ''), '-t', 'a', '-C', '1'])
    await broker.program.line('Sending SUBACK')
    const pub = new Program(PUB, [...at(broker, ''), '-t', 'a', '-m', 'hello', '-q', '2'])
    assert.equal((await pub.end()).status, 0)
    assert.match((await sub.end()).stdout, /^hello$/m)
    await broker.program.line('negotiated TLSv1.3 cipher')
  })

  test('a client certificate names the user', async () => {
    const broker = await start('cafile {c}/ca.crt\nrequire_certificate true\nuse_subject_as_username true')
    const pub = new Program(PUB, [...at(broker, 'client'), '-t', 'a', '-m', 'b', '-q', '1', '-i', 'me'])
    assert.equal((await pub.end()).status, 0)
    await broker.program.line(/ as me \(p4, c1, k60, u'CN=client one,O=Org'\)\.$/)
  })

  for (const { name, args, says } of [
    { name: 'no certificate', args: () => [], says: 'disconnected: client certificate missing.' },
    {
      name: 'an expired one',
      args: () => own('expired'),
      says: "client certificate of 'late': expired on 2001-02-03.",
    },
    {
      name: 'no trust in the listener',
      args: () => [...own('client'), ...trust('other')],
      says: 'disconnected: the client does not know the issuer of the certificate of this listener.',
    },
    {
      // An address, but not to those who compare letters.
      name: 'another name for the listener',
      args: () => [...own('client'), '-h', '127.1'],
      says: 'it looks for 127.1, and the certificate is for localhost, 127.0.0.1.',
    },
  ])
    test(`refused, and the log says why: ${name}`, async () => {
      const broker = await start('cafile {c}/ca.crt\nrequire_certificate true')
      const pub = new Program(PUB, [...at(broker, ''), ...args(), '-t', 'a', '-m', 'b', '-q', '1'])
      assert.notEqual((await pub.end()).status, 0)
      await broker.program.line(says)
    })

  test('pre-shared keys', async () => {
    const broker = await startTsmq({
      conf: 'psk_hint here\npsk_file {folder}/keys\nuse_identity_as_username true',
      files: { keys: 'sensor:00abc\n' },
    })
    brokers.push(broker)
    const args = ['-p', `${broker.port}`, '-t', 'a', '-m', 'b', '-q', '1', '-i', 'psk', '--psk-identity', 'sensor']
    assert.equal((await new Program(PUB, [...args, '--psk', '00abc']).end()).status, 0)
    await broker.program.line(/ as psk \(p4, c1, k60, u'sensor'\)\.$/)
    assert.notEqual((await new Program(PUB, [...args, '--psk', 'abd']).end()).status, 0)
    await broker.program.line("disconnected: wrong key for PSK identity 'sensor'.")
  })

  test('plain MQTT on a TLS port', async () => {
    const broker = await start('')
    const pub = new Program(PUB, ['-h', 'localhost', '-p', `${broker.port}`, '-t', 'a', '-m', 'b'])
    assert.notEqual((await pub.end()).status, 0)
    await broker.program.line('disconnected: plain MQTT on a TLS port.')
  })
})

describe(...suite('MQTT.js over TLS', ['openssl']), () => {
  before(made)
  after(stop)

  for (const { scheme, protocol } of [
    { scheme: 'mqtts', protocol: 'mqtt' },
    { scheme: 'wss', protocol: 'websockets' },
  ])
    test(`${scheme}: 5.0 with a client certificate, QoS 2, a large message`, async () => {
      const broker = await start(`protocol ${protocol}\ncafile {c}/ca.crt\nuse_identity_as_username true`)
      const secrets = { ca: certificates.read('ca.crt'), ...certificates.client('client') }
      const options: IClientOptions = { protocolVersion: 5, clientId: scheme, ...secrets, wsOptions: secrets }
      const client = await connectAsync(`${scheme}://localhost:${broker.port}`, options)
      await client.subscribeAsync('big/#', { qos: 2 })
      const payload = Buffer.alloc(300_000, 'x')
      const arrived = new Promise<Buffer>((resolve) => {
        client.once('message', (_topic, message) => resolve(message))
      })
      await client.publishAsync('big/one', payload, { qos: 2 })
      assert.ok(payload.equals(await arrived))
      await client.endAsync()
      await broker.program.line(new RegExp(` as ${scheme} \\(p5, .*, u'client one'\\)\\.$`))
    })
})
