// Files that hold secrets or rights: one that cannot be used keeps the broker from starting, and a reload from changing anything; an
// empty one admits nobody; one that others can read is reported.

import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect as dialTls } from 'node:tls'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { passwordFile } from '../support/password-lines.js'
import { connectPacket, RawClient } from '../support/raw-client.js'

interface Kind {
  readonly name: string
  /** `{file}` is the file in question. */
  readonly conf: string
  good(): string
  /** What makes the file unusable. */
  readonly malformed: string
  /** Whether somebody with the right credentials gets what they want. */
  admits(broker: TestBroker): Promise<boolean>
  /** Otherwise it is unusable. */
  readonly emptyMeansNobody: boolean
  /** Followed where it is used, as in other programs. */
  readonly maybeLink?: true
}

let folder: string
let certificates: Certificates
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmq-secrets-'))
  if (hasOpenssl) certificates = new Certificates()
})
after(() => {
  rmSync(folder, { recursive: true })
  certificates?.remove()
})

const kinds: readonly Kind[] = [
  {
    name: 'password_file',
    conf: 'allow_anonymous false\npassword_file {file}\n',
    good: () => passwordFile('ann'),
    malformed: `${passwordFile('ann')}bob:plain\n`,
    emptyMeansNobody: true,
    async admits({ port }) {
      const { client, connack } = await RawClient.connect(port, { username: 'ann', password: 'ann' })
      await client.drop()
      return connack.reasonCode === 0
    },
  },
  {
    name: 'acl_file',
    conf: 'acl_file {file}\n',
    good: () => 'topic readwrite #\n',
    malformed: 'topic readwrite #\ntopic any x\n',
    emptyMeansNobody: true,
    async admits({ port }) {
      const { client } = await RawClient.connect(port, { version: 5, clientId: 'writer' })
      client.publish({ topic: 'x', qos: 1 })
      const ack = await client.next()
      await client.drop()
      return 'reasonCode' in ack && ack.reasonCode < 0x80
    },
  },
  {
    name: 'psk_file',
    conf: 'psk_hint here\npsk_file {file}\n',
    good: () => 'sensor:000102ff\n',
    malformed: 'sensor:000102ff\nother:no\n',
    emptyMeansNobody: true,
    admits: ({ port }) => shakesHands(port),
  },
]

/** A private key is like the others in all but two points. */
const key: Kind = {
  name: 'keyfile',
  conf: 'certfile {c}/server.crt\nkeyfile {file}\n',
  good: () => certificates.read('server.key'),
  malformed: '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n',
  emptyMeansNobody: false,
  maybeLink: true,
  admits: ({ port }) => shakesHands(port, certificates.read('ca.crt')),
}

async function shakesHands(port: number, ca?: string): Promise<boolean> {
  const options = { port, host: '127.0.0.1', servername: 'localhost' }
  const psk = {
    ciphers: 'PSK',
    pskCallback: () => ({ identity: 'sensor', psk: Buffer.from('000102ff', 'hex') }),
    checkServerIdentity: () => undefined,
  }
  const socket = dialTls(ca === undefined ? { ...options, ...psk } : { ...options, ca }).on('error', () => {})
  const client = new RawClient(socket)
  client.send(connectPacket())
  const answer = await client.next().catch(() => undefined)
  await client.drop()
  return answer !== undefined
}

let count = 0

/** A file for one test. */
function write(content: string | Buffer | undefined): string {
  const file = join(folder, `file-${count++}`)
  if (content !== undefined) writeFileSync(file, content, { mode: 0o600 })
  return file
}

function confFor({ conf }: Kind, file: string): string {
  return conf.replaceAll('{file}', file).replaceAll('{c}', certificates?.folder ?? '')
}

function linkTo(file: string): string {
  const link = `${file}-link`
  symlinkSync(file, link)
  return link
}

function directory(): string {
  const path = join(folder, `folder-${count++}`)
  mkdirSync(path)
  return path
}

function testKind(kind: Kind): void {
  const unusable: readonly { readonly name: string; file(): string }[] = [
    { name: 'is not there', file: () => write(undefined) },
    { name: 'is a folder', file: directory },
    { name: 'is malformed', file: () => write(kind.malformed) },
    { name: 'is not UTF-8', file: () => write(Buffer.from('6e616d653aff0a', 'hex')) },
    ...(kind.maybeLink ? [] : [{ name: 'is a symbolic link', file: () => linkTo(write(kind.good())) }]),
    ...(kind.emptyMeansNobody ? [] : [{ name: 'is empty', file: () => write('') }]),
  ]
  for (const { name, file } of unusable) {
    test(`${name}: no start`, async () => {
      const path = file()
      const started = startBroker({ conf: confFor(kind, path) })
      started.then(({ stop }) => stop()).catch(() => {})
      await assert.rejects(started, (error: Error) => error.message.includes(path))
    })

    test(`${name}: a reload changes nothing`, async () => {
      const broker = await startBroker({ conf: confFor(kind, write(kind.good())) })
      try {
        assert.ok(await kind.admits(broker))
        const path = file()
        broker.reload({ conf: `${confFor(kind, path)}max_qos 0\n` })
        assert.ok(broker.log.some((line) => line.includes(path)))
        assert.ok(broker.log.some((line) => line.includes('the old one stays in force')))
        assert.ok(await kind.admits(broker))
      } finally {
        await broker.stop()
      }
    })
  }

  if (kind.emptyMeansNobody)
    for (const [name, content] of Object.entries({ empty: '', 'only comments': '# nobody\n\n# at all\n' }))
      test(`${name}: nobody, from the start and after a reload`, async () => {
        const broker = await startBroker({ conf: confFor(kind, write(content)) })
        const other = await startBroker({ conf: confFor(kind, write(kind.good())) })
        try {
          assert.equal(await kind.admits(broker), false)
          other.reload({ conf: confFor(kind, write(content)) })
          assert.equal(await kind.admits(other), false)
        } finally {
          await broker.stop()
          await other.stop()
        }
      })

  if (kind.emptyMeansNobody)
    test('others can read it: a warning at the start and after a reload', async () => {
      const file = write(kind.good())
      chmodSync(file, 0o644)
      const broker = await startBroker({ conf: confFor(kind, file) })
      try {
        const warnings = () => broker.log.filter((line) => line.includes(`${file} can be used by everyone`)).length
        assert.equal(warnings(), 1)
        broker.reload({ conf: confFor(kind, file) })
        assert.equal(warnings(), 2)
      } finally {
        await broker.stop()
      }
    })
}

for (const kind of kinds) describe(kind.name, () => testKind(kind))
describe(`keyfile${skippedWithout}`, { skip: !hasOpenssl }, () => testKind(key))
