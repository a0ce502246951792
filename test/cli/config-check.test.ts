// --test-config: what is found in a configuration and in every file it names, each with file and line (features.md C11).

import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { checkConfig } from '../../src/cli/config-check.js'
import { Findings } from '../../src/cli/config-findings.js'
import { findingText } from '../../src/cli/config-report.js'
import { checkTls } from '../../src/cli/tls-checks.js'
import { readConfFile } from '../../src/options/conf-file.js'
import { Certificates, hasOpenssl, skippedWithout } from '../support/certificates.js'
import { passwordFile } from '../support/password-lines.js'
import { command } from '../support/tsmq-process.js'

// The broker of these tests stays who runs them.
process.env.PUID = process.env.PGID = '0'

let base: string
before(() => {
  base = mkdtempSync(join(tmpdir(), 'tsmq-check-'))
})
after(() => rmSync(base, { recursive: true }))

/** Writes files into a new folder; `{f}` in them is the folder. */
function write(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(base, 'test-'))
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, name), content.replaceAll('{f}', folder), { mode: 0o600 })
  return folder
}

async function findingsIn(folder: string, options: { readonly bind: boolean } = { bind: false }): Promise<string[]> {
  const { all } = await checkConfig(readConfFile(join(folder, 'conf')), options)
  return all.map((finding) => findingText(finding).replaceAll(`${folder}/`, ''))
}

/** Loopback, so that nothing is said of the network. */
const START = 'listener 1883 127.0.0.1\n'

interface Case {
  readonly name: string
  readonly files: Readonly<Record<string, string>>
  /** Beginnings of what is found, in order. */
  readonly says: readonly string[]
}

const cases: readonly Case[] = [
  { name: 'nothing', files: { conf: START }, says: [] },
  {
    name: 'every problem of the file itself, and still of the files it names',
    files: { conf: `listner 1\n${START}max_qos 9\nacl_file {f}/acl\n`, acl: 'topic any x\n' },
    says: ['conf:1: unknown option listner', 'conf:3: max_qos', 'acl:1: "any" is no access type'],
  },
  {
    name: 'a name of Mosquitto 1.x, in one warning that says what replaced it',
    files: { conf: `${START}retry_interval 20\nstore_clean_interval 5\n` },
    says: ['conf:2: warning: retry_interval has no effect: messages', 'conf:3: warning: store_clean_interval has no'],
  },
  {
    name: 'places that are not there: an interface, the folder of a socket, that of an HTTP listener',
    files: {
      conf: 'listener 1883\nbind_interface nowhere\nlistener 0 {f}/gone/s\nlistener 1 127.0.0.1\nprotocol http_api\nhttp_dir {f}/site\n',
    },
    says: [
      'conf:6: http_dir site cannot be read: no such file or directory',
      'conf:2: there is no network interface nowhere with an address',
      'conf:3: the socket gone/s cannot be made: no such file or directory',
    ],
  },
  {
    name: 'a folder for HTTP where nobody asks for it',
    files: { conf: `${START}http_dir {f}\n` },
    says: ['conf:2: warning: http_dir has no effect without protocol http_api'],
  },
  {
    name: 'a password file that is not there',
    files: { conf: `${START}\npassword_file {f}/pw\n` },
    says: ['conf:3: password_file pw: no such file or directory'],
  },
  {
    name: 'a password file with plain passwords, which are not shown',
    files: { conf: `${START}password_file {f}/pw\n`, pw: `${passwordFile('ann')}bob:hunter2\n:x\n` },
    says: ['pw:2: user "bob": the password is not hashed', 'pw:3: '],
  },
  {
    name: 'files without anybody in them',
    files: {
      conf: 'psk_file {f}/psk\npassword_file {f}/pw\nacl_file {f}/acl\nlistener 1883 127.0.0.1\npsk_hint h\n',
      pw: '# nobody\n',
      acl: 'user ann\n',
      psk: '',
    },
    says: [
      'pw: warning: there is no user in it: nobody can log in',
      'acl: warning: there is no rule in it: nobody may read or write anything',
      'psk: warning: there is no identity in it: nobody can connect',
    ],
  },
  {
    name: 'rules that never decide, patterns without a value',
    files: { conf: `${START}acl_file {f}/acl\n`, acl: 'topic read a/#\ntopic read a/b\npattern read c\n' },
    says: [
      'acl:3: warning: the pattern has neither %c nor %u as a whole level',
      'acl:2: warning: this rule (topic read a/b) never decides: line 1 (topic read a/#) does',
    ],
  },
  {
    name: 'a PSK line that defines nobody, and a bad key, which is not shown',
    files: { conf: `psk_file {f}/psk\n${START}psk_hint h\n`, psk: 'nocolon\na:xyz\n' },
    says: ['psk:2: the key is not made of hexadecimal digits'],
  },
  {
    name: 'listeners that anonymous clients can reach from the network',
    files: {
      conf: 'allow_anonymous true\nlistener 1883\nlistener 1884 ::\nlistener 1885 192.0.2.1\nlistener 1886 127.0.0.2\nlistener 1887 ::1\nlistener 1888 localhost\nlistener 0 {f}/socket\nlistener 1889\nlistener_allow_anonymous false\n',
    },
    says: [
      'conf:2: warning: 0.0.0.0:1883 accepts anonymous clients from the network',
      'conf:3: warning: [::]:1884 accepts anonymous',
      'conf:4: warning: 192.0.2.1:1885 accepts anonymous',
    ],
  },
  {
    name: 'listeners that want the same address',
    files: {
      conf: 'listener 1883\nlistener 1883 127.0.0.1\nlistener 1884 ::1\nlistener 1884 127.0.0.1\nlistener 1885\nsocket_domain ipv4\nlistener 1885\nsocket_domain ipv6\nlistener 0\nlistener 0\nlistener 0 {f}/s\nlistener 0 {f}/s\n',
    },
    says: [
      'conf:2: 127.0.0.1:1883 is already taken by 0.0.0.0:1883 (conf:1)',
      'conf:12: s is already taken by s (conf:11)',
    ],
  },
  {
    name: 'options without effect',
    files: {
      conf: `log_facility 1\n${START}websockets_origin x\ntls_version tlsv1.3\nlistener 0 {f}/s\nsocket_domain ipv4\n`,
    },
    says: [
      'conf:2: warning: of this listener websockets_origin needs protocol websockets to have an effect',
      'conf:2: warning: of this listener tls_version needs certfile or psk_hint to have an effect',
      'conf:1: warning: log_facility needs log_dest syslog to have an effect',
      'conf:6: warning: socket_domain has no effect on a Unix socket',
    ],
  },
  {
    name: 'files that cannot be written',
    files: { conf: `${START}log_dest file {f}/no/log\npid_file {f}/none/pid\n` },
    says: [
      'conf:2: log_dest no/log cannot be written: folder no: no such file or directory',
      'conf:3: pid_file none/pid cannot be written: folder none: no such file or directory',
    ],
  },
  {
    name: 'files that can be written',
    files: { conf: `${START}log_dest file {f}/log\npid_file {f}/pid\n`, log: '' },
    says: [],
  },
  { name: 'a user nobody has', files: { conf: `${START}user root\n` }, says: [] },
]

describe('findings', () => {
  for (const { name, files, says } of cases)
    test(name, async () => {
      const folder = write(files)
      const found = await findingsIn(folder)
      assert.equal(found.length, says.length, found.join('\n'))
      for (const [at, text] of says.entries()) assert.ok(found[at]?.startsWith(text), `${found[at]}\n${text}`)
      assert.ok(!found.join().includes('hunter2') && !found.join().includes('xyz'))
      assert.deepEqual(readdirSync(folder).sort(), Object.keys(files).sort(), 'nothing is left behind')
    })

  test('files that others can use: those with rights in them, and configurations with passwords', async () => {
    const folder = write({
      conf: `${START}acl_file {f}/acl\nconnection b\naddress 127.0.0.1\ntopic # in\nremote_username u\nremote_password hunter2\n`,
      acl: 'topic a\n',
    })
    for (const name of ['conf', 'acl']) chmodSync(join(folder, name), 0o644)
    const found = (await findingsIn(folder)).filter((text) => text.includes('can be used by everyone'))
    assert.deepEqual(
      found.map((text) => text.slice(0, 14)),
      ['conf: warning:', 'acl: warning: '],
    )
    assert.ok(!found.join().includes('hunter2'))
  })

  test('a database that Mosquitto has left behind, and none', async () => {
    const folder = write({ conf: `${START}persistence true\npersistence_location {f}\n` })
    assert.deepEqual(await findingsIn(folder), [])
    const db = join(folder, 'mosquitto.db')
    writeFileSync(db, '')
    assert.deepEqual(await findingsIn(folder), [])
    writeFileSync(db, '\x00\xb5\x00mosquitto db', 'latin1')
    const [found, ...more] = await findingsIn(folder)
    assert.match(
      found ?? '',
      /^conf:2: mosquitto\.db was written by Mosquitto\. Rename it and read it in with --import/,
    )
    assert.deepEqual(more, [])
    assert.equal(readFileSync(db).length, 15)
  })

  test('a configuration without passwords may be read by everyone', async () => {
    const folder = write({ conf: START })
    chmodSync(join(folder, 'conf'), 0o644)
    assert.deepEqual(await findingsIn(folder), [])
  })

  test('a log file behind a symbolic link, and one that is a folder', async () => {
    const folder = write({ conf: `${START}log_dest file {f}/link\npid_file {f}/folder\n`, log: '' })
    symlinkSync(join(folder, 'log'), join(folder, 'link'))
    mkdirSync(join(folder, 'folder'))
    assert.deepEqual(await findingsIn(folder), [
      'conf:2: log_dest link cannot be written: is a symbolic link',
      'conf:3: pid_file folder cannot be written: is a directory',
    ])
  })

  test('included files are read and named, and the lines in them', async () => {
    const folder = write({ conf: `${START}include_dir {f}/more\n` })
    mkdirSync(join(folder, 'more'))
    writeFileSync(join(folder, 'more', 'a.conf'), '\nacl_file /nowhere/acl\n')
    assert.deepEqual(await findingsIn(folder), ['more/a.conf:2: acl_file /nowhere/acl: no such file or directory'])
  })

  test('a port in use is found with --bind only, and a free one is free again', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const folder = write({ conf: `listener ${port} 127.0.0.1\nlistener 0 {f}/socket\nlistener 0 127.0.0.1\n` })
    assert.deepEqual(await findingsIn(folder), [])
    assert.deepEqual(await findingsIn(folder, { bind: true }), [
      `conf:1: cannot listen on 127.0.0.1:${port}: it is already in use`,
    ])
    await new Promise((resolve) => server.close(resolve))
    assert.deepEqual(await findingsIn(folder, { bind: true }), [])
    assert.ok(!existsSync(join(folder, 'socket')))
  })
})

describe(`certificates${skippedWithout}`, { skip: !hasOpenssl }, () => {
  let certificates: Certificates
  before(() => {
    certificates = new Certificates()
  })
  after(() => certificates.remove())

  const DAY = 86_400_000

  /** What is found about a TLS listener, with `{c}` for the folder, so many days from now. */
  function check(lines: string, days = 0): string[] {
    const folder = write({ conf: `listener 8883 127.0.0.1\n${lines.replaceAll('{c}', certificates.folder)}` })
    const config = readConfFile(join(folder, 'conf'))
    assert.deepEqual(config.problems, [])
    const findings = new Findings(config)
    checkTls(config, findings, Date.now() + days * DAY)
    return findings.all.map((finding) =>
      findingText(finding).replaceAll(`${folder}/`, '').replaceAll(`${certificates.folder}/`, ''),
    )
  }

  const SERVER = 'certfile {c}/server.crt\nkeyfile {c}/server.key\n'

  const tls: readonly { name: string; lines: string; days?: number; says: readonly RegExp[] }[] = [
    { name: 'nothing', lines: SERVER, says: [] },
    {
      name: 'the key of another certificate',
      lines: 'certfile {c}/server.crt\nkeyfile {c}/client.key\n',
      says: [/^conf:3: keyfile client\.key is not the key of certfile server\.crt$/],
    },
    {
      name: 'an encrypted key',
      lines: 'certfile {c}/server.crt\nkeyfile {c}/encrypted.key\n',
      says: [/^conf:3: keyfile encrypted\.key: the key is encrypted/],
    },
    {
      name: 'files that are not there',
      lines: 'certfile {c}/a\nkeyfile {c}/b\ncafile {c}/c\ncrlfile {c}/d\n',
      says: [/^conf:2: certfile a: no such/, /^conf:4: cafile c: no such/, /^conf:5: crlfile d: no such/],
    },
    {
      name: 'a certificate that has expired',
      lines: 'certfile {c}/expired.crt\nkeyfile {c}/expired.key\n',
      says: [/^conf:2: certfile expired\.crt: 'CN=late' expired on 2001-02-03$/],
    },
    {
      name: 'a certificate that is not valid yet',
      lines: 'certfile {c}/early.crt\nkeyfile {c}/early.key\n',
      says: [/^conf:2: certfile early\.crt: 'CN=early' is not valid before 2090-04-05$/],
    },
    {
      name: 'a certificate that expires within 30 days',
      lines: SERVER,
      days: 2971,
      says: [/^conf:2: warning: certfile server\.crt: 'CN=localhost' expires on \d{4}-\d\d-\d\d, in (28|29) days$/],
    },
    { name: 'a certificate that expires in more than 30 days', lines: SERVER, days: 2969, says: [] },
    {
      name: 'an authority that has expired, the only one',
      lines: `${SERVER}cafile {c}/expired.crt\n`,
      says: [/^conf:4: cafile: 'CN=late' expired on 2001-02-03$/],
    },
    {
      name: 'a revocation list that has expired',
      lines: `${SERVER}cafile {c}/ca.crt\ncrlfile {c}/old-crl.pem\n`,
      says: [/^conf:5: crlfile old-crl\.pem: list 1 expired on 2000-01-02: no client certificate is accepted$/],
    },
    { name: 'a revocation list that holds', lines: `${SERVER}cafile {c}/ca.crt\ncrlfile {c}/crl.pem\n`, says: [] },
    {
      name: 'a revocation list that ends soon',
      lines: `${SERVER}cafile {c}/ca.crt\ncrlfile {c}/crl.pem\n`,
      days: 2998,
      says: [
        /certfile .* expires on/,
        /cafile: .* expires on/,
        /^conf:5: warning: crlfile crl\.pem: list 1 expires on .*, in 1 day$/,
      ],
    },
    {
      name: 'an authority without a revocation list',
      lines: `${SERVER}cafile {c}/other.crt\ncrlfile {c}/crl.pem\n`,
      says: [/^conf:5: warning: crlfile crl\.pem: no list of 'CN=Other CA', whose clients are refused$/],
    },
    {
      name: 'ciphers that do not exist',
      lines: `${SERVER}ciphers NONSENSE\n`,
      says: [/^conf:4: ciphers: none of them is known$/],
    },
    {
      name: 'cipher suites that do not exist',
      lines: `${SERVER}ciphers_tls1.3 TLS_NONSENSE\n`,
      says: [/^conf:4: ciphers_tls1\.3: 'TLS_NONSENSE' is no cipher suite of TLS 1\.3/],
    },
  ]
  for (const { name, lines, days, says } of tls)
    test(name, () => {
      const found = check(lines, days)
      assert.equal(found.length, says.length, found.join('\n'))
      for (const [at, shape] of says.entries()) assert.match(found[at] ?? '', shape)
    })

  test('a chain in the wrong order', () => {
    const chain = certificates.path('chain.pem')
    writeFileSync(chain, certificates.read('server.crt') + certificates.read('other.crt'))
    const [found] = check('certfile {c}/chain.pem\nkeyfile {c}/server.key\n')
    assert.equal(
      found,
      "conf:2: certfile chain.pem: 'CN=localhost' is not signed by the certificate behind it, 'CN=Other CA'",
    )
    writeFileSync(chain, certificates.read('server.crt') + certificates.read('ca.crt'))
    assert.deepEqual(check('certfile {c}/chain.pem\nkeyfile {c}/server.key\n'), [])
  })

  test('a certificate that is meant for clients only', () => {
    assert.deepEqual(check('certfile {c}/client_only.crt\nkeyfile {c}/client_only.key\n'), [
      'conf:2: certfile client_only.crt: the certificate is not meant for servers',
    ])
    assert.deepEqual(check('certfile {c}/server_only.crt\nkeyfile {c}/server_only.key\n'), [])
  })

  test('the files of a bridge', () => {
    const bridge = 'connection b\naddress localhost\ntopic # in\n'
    const files = 'bridge_cafile {c}/ca.crt\nbridge_certfile {c}/client.crt\nbridge_keyfile {c}/client.key\n'
    assert.deepEqual(check(bridge + files), [])
    assert.deepEqual(check(bridge + files.replace('client.key', 'server.key')), [
      'conf:2: of bridge b bridge_keyfile server.key is not the key of bridge_certfile client.crt',
    ])
    assert.deepEqual(check(bridge + files.replaceAll('client.', 'server_only.')), [
      'conf:2: of bridge b bridge_certfile server_only.crt: the certificate is not meant for clients',
    ])
    assert.deepEqual(check(bridge + files.replace('ca.crt', 'gone.crt')), [
      'conf:2: of bridge b bridge_cafile gone.crt: no such file or directory',
    ])
    const [expired] = check(bridge + files.replaceAll('client.', 'expired.'))
    assert.equal(expired, "conf:2: of bridge b bridge_certfile expired.crt: 'CN=late' expired on 2001-02-03")
  })

  test('a key that others can read', async () => {
    const folder = write({ conf: `listener 8883 127.0.0.1\n${SERVER.replaceAll('{c}', certificates.folder)}` })
    chmodSync(certificates.path('server.key'), 0o604)
    const found = await findingsIn(folder)
    chmodSync(certificates.path('server.key'), 0o600)
    assert.equal(found.length, 1, found.join())
    assert.match(found[0] ?? '', /^conf:3: warning: .*server\.key can be used by everyone on this machine/)
  })
})

describe('as a command', { concurrency: 3 }, () => {
  const WARNS = 'retry_interval 20\n'
  const run = (conf: string, ...args: readonly string[]) => {
    const folder = write({ conf })
    return command('tsmq', ['-c', 'conf', '--test-config', ...args], { cwd: folder, input: '' }).end()
  }

  test('warnings are on stderr and harmless', async () => {
    const { status, stdout, stderr } = await run(START + WARNS)
    assert.deepEqual([status, stdout], [0, ''])
    assert.match(stderr, /^conf:2: warning: retry_interval.*\ntsmq: conf: 1 warning\n$/)
  })

  test('--strict makes them errors', async () => {
    const { status, stderr } = await run(START + WARNS, '--strict')
    assert.equal(status, 3)
    assert.match(stderr, /^conf:2: retry_interval.*\ntsmq: conf: 1 error\n$/)
  })

  test('--strict without a warning', async () => {
    assert.equal((await run(START, '--strict')).status, 0)
  })

  test('--json: errors, warnings and listeners on stdout, and nothing else anywhere', async () => {
    const { status, stdout, stderr } = await run(`listener 1883\nallow_anonymous true\nmax_qos x\n${WARNS}`, '--json')
    assert.deepEqual([status, stderr], [3, ''])
    const result = JSON.parse(stdout)
    assert.deepEqual(result.errors, [{ file: 'conf', line: 3, message: "max_qos must be a whole number, not 'x'" }])
    assert.deepEqual(
      result.warnings.map(({ line }: { line: number }) => line),
      [4, 1],
    )
    assert.equal(result.ok, false)
    assert.deepEqual(result.files, ['conf'])
    assert.deepEqual(result.listeners, [
      {
        port: 1883,
        protocol: 'mqtt',
        tls: false,
        requires_certificate: false,
        allow_anonymous: true,
        reachable_from_network: true,
        anonymous_from_network: true,
        file: 'conf',
        line: 1,
      },
    ])
  })

  test('--env: a name that is not set is an error with its place', async () => {
    const conf = `${START}pid_file ${'$'}{TSMQ_TEST_NOWHERE}/pid\n`
    const { status, stderr } = await run(conf, '--env')
    assert.equal(status, 3)
    assert.match(stderr, /^conf:2: pid_file needs the environment variable TSMQ_TEST_NOWHERE, which is not set$/m)
    const literal = await run(conf)
    assert.match(literal.stderr, /^conf:2: warning: pid_file has \$\{TSMQ_TEST_NOWHERE\} in it/m)
  })

  test('a file that is not there', async () => {
    const { status, stderr } = await command('tsmq', ['-c', 'gone', '--test-config'], { cwd: base, input: '' }).end()
    assert.equal(status, 3)
    assert.match(stderr, /^gone: cannot be read: no such file or directory\ntsmq: gone: 1 error\n$/)
  })

  for (const flag of ['--json', '--strict', '--bind'])
    test(`${flag} is for --test-config`, async () => {
      const { status, stderr } = await command('tsmq', [flag], { cwd: base, input: '' }).end()
      assert.equal(status, 3)
      assert.match(stderr, /needs --test-config/)
    })
})

test('files belong to the user that the broker becomes', {
  skip: process.geteuid?.() !== 0 && 'only root becomes somebody else',
}, async (t) => {
  const folder = write({ conf: `${START}password_file {f}/pw\n`, pw: passwordFile('ann') })
  chmodSync(base, 0o755)
  chmodSync(folder, 0o755)
  process.env.PUID = process.env.PGID = '65534'
  t.after(() => {
    process.env.PUID = process.env.PGID = '0'
  })
  chownSync(join(folder, 'pw'), 65534, 65534)
  assert.deepEqual(await findingsIn(folder), [])
  chownSync(join(folder, 'pw'), 65534, 0)
  assert.deepEqual(await findingsIn(folder), ['pw: warning: pw belongs to another group. To fix this: chgrp 65534 pw'])
})
