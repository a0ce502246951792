// --acl-check and --acl-test: what is answered, from where, with which status; which words are no question (features.md C5).

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { askAcl } from '../../src/cli/acl-command.js'
import { parseCommandLine } from '../../src/options/command-line.js'
import { readConfFile } from '../../src/options/conf-file.js'
import { tsmqOptions } from '../../src/options/tsmq-options.js'
import { passwordFile } from '../support/password-lines.js'
import { command } from '../support/tsmq-process.js'

const ACL = `topic read public/#
user ann
topic readwrite home/#
topic deny home/safe
user John Smith
topic write his own/topic
pattern write dev/%c/#
pattern read users/%u
`

const FILES: Readonly<Record<string, string>> = {
  acl: ACL,
  other: 'topic other/#\n',
  bad: 'topic any x\n',
  passwords: passwordFile('ann'),
  broken: 'ann:plain\n',
  'tsmq.conf': 'listener 1883\nallow_anonymous true\nacl_file {f}/acl\n',
  'closed.conf': 'listener 1883\nacl_file {f}/acl\n',
  'users.conf': 'listener 1883\npassword_file {f}/passwords\nacl_file {f}/acl\n',
  'broken-users.conf': 'listener 1883\npassword_file {f}/broken\nacl_file {f}/acl\n',
  'open.conf': 'listener 1883\nallow_anonymous true\n',
  'bad.conf': 'listener 1883\nacl_file {f}/bad\n',
  'gone.conf': 'listener 1883\nacl_file {f}/gone\n',
  'mount.conf': 'listener 1883\nallow_anonymous true\nacl_file {f}/acl\nmount_point public/\n',
  'names.conf': 'listener 1883\nallow_anonymous true\nacl_file {f}/acl\nuse_username_as_clientid true\n',
  'two.conf':
    'per_listener_settings true\nlistener 1883\nallow_anonymous true\nacl_file {f}/acl\nlistener 0 {f}/socket\nallow_anonymous true\nacl_file {f}/other\n',
}

let folder: string
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmq-questions-'))
  for (const [name, content] of Object.entries(FILES))
    writeFileSync(join(folder, name), content.replaceAll('{f}', folder), { mode: 0o600 })
})
after(() => rmSync(folder, { recursive: true }))

/** What the command prints and complains, without the folder, and its status. */
function ask(conf: string, args: readonly string[]) {
  const printed: string[] = []
  const complaints: string[] = []
  const file = join(folder, conf)
  const { values } = parseCommandLine(tsmqOptions, ['-c', file, ...args])
  const take = (list: string[]) => (text: string) => void list.push(...text.replaceAll(`${folder}/`, '').split('\n'))
  const status = askAcl(readConfFile(file), values, { print: take(printed), complain: take(complaints) })
  return { printed, complaints, status }
}

describe('--acl-check', () => {
  const allowed = 0
  const denied = 12
  const cases: readonly { who: string; verb?: string; topic: string; conf?: string; says: string }[] = [
    { who: 'user=ann,id=x', topic: 'home/a', says: 'allow  acl:3  topic readwrite home/#' },
    { who: 'user=ann,id=x', topic: 'home/safe', says: 'deny  acl:4  topic deny home/safe' },
    { who: 'user=ann,id=x', verb: 'write', topic: 'home/a', says: 'allow  acl:3  topic readwrite home/#' },
    { who: 'user=ann,id=x', topic: 'public/a', says: 'deny  acl  no rule matches' },
    { who: 'id=x', topic: 'public/a', says: 'allow  acl:1  topic read public/#' },
    { who: '', topic: 'public/a', says: 'allow  acl:1  topic read public/#' },
    { who: 'id=x', verb: 'write', topic: 'public/a', says: 'deny  acl  no rule matches' },
    { who: 'id=x,user=ann', verb: 'write', topic: 'dev/x/1', says: 'allow  acl:7  pattern write dev/%c/#' },
    { who: 'user=ann,id=y', verb: 'write', topic: 'dev/x/1', says: 'deny  acl  no rule matches' },
    { who: 'user=ann', verb: 'write', topic: 'dev/x/1', says: 'deny  acl  no rule matches' },
    { who: 'user=ann', verb: 'write', topic: 'dev//1', says: 'deny  acl  no rule matches' },
    { who: 'user=bob,id=x', topic: 'users/bob', says: 'allow  acl:8  pattern read users/%u' },
    { who: 'id=x', topic: 'users/bob', says: 'deny  acl  no rule matches' },
    {
      who: 'user=John Smith,id=x',
      verb: 'write',
      topic: 'his own/topic',
      says: 'allow  acl:6  topic write his own/topic',
    },
    { who: 'user=a,b,id=x,y', topic: 'users/a,b', says: 'allow  acl:8  pattern read users/%u' },
    {
      who: 'user=+,id=x',
      topic: 'users/ann',
      says: 'deny  acl  the user name or client id contains + or #, so patterns are not applied',
    },
    {
      who: 'user=ann,id=x',
      verb: 'write',
      topic: '$SYS/broker/x',
      says: 'deny  -  topics beginning with $SYS belong to the broker',
    },
    { who: 'id=x', verb: 'subscribe', topic: '#', says: 'allow  -  read access is checked for each message' },
    { who: 'id=x', topic: 'a', conf: 'open.conf', says: 'allow  -  there is no ACL file' },
    { who: 'id=x', topic: 'a', conf: 'mount.conf', says: 'allow  acl:1  topic read public/#' },
    {
      who: 'user=ann',
      verb: 'write',
      topic: 'dev/ann/1',
      conf: 'names.conf',
      says: 'allow  acl:7  pattern write dev/%c/#',
    },
  ]
  for (const { who, verb = 'read', topic, conf = 'tsmq.conf', says } of cases)
    test(`${conf}: '${who}' ${verb} ${topic}`, () => {
      const { printed, status } = ask(conf, ['--acl-check', who, verb, topic])
      assert.deepEqual(printed, [says])
      assert.equal(status, says.startsWith('allow') ? allowed : denied)
    })

  const notes: readonly { conf: string; who: string; verb?: string; note?: RegExp }[] = [
    { conf: 'tsmq.conf', who: 'user=ann,id=x' },
    { conf: 'tsmq.conf', who: 'user=ann', note: /^note: without id= the patterns with %c are left out$/ },
    { conf: 'names.conf', who: 'user=ann' },
    { conf: 'closed.conf', who: 'id=x', note: /clients without a user name in/ },
    { conf: 'closed.conf', who: 'user=ann,id=x', note: /let 'ann' in: there is no password_file/ },
    { conf: 'users.conf', who: 'user=ann,id=x' },
    { conf: 'users.conf', who: 'user=bob,id=x', note: /let 'bob' in: there is no such user in passwords/ },
    { conf: 'broken-users.conf', who: 'user=ann,id=x', note: /is not known: broken:1: / },
  ]
  for (const { conf, who, note } of notes)
    test(`${conf}: what else is told of '${who}': ${note ?? 'nothing'}`, () => {
      const { complaints, status } = ask(conf, ['--acl-check', who, 'read', 'home/a'])
      assert.equal(complaints.length, note === undefined ? 0 : 1, complaints.join())
      if (note) assert.match(complaints[0] ?? '', note)
      assert.ok(status === allowed || status === denied)
    })

  const nonsense: readonly { args: readonly string[]; conf?: string; status?: number; says: RegExp }[] = [
    { args: ['ann', 'read', 'a'], says: /user=NAME, id=CLIENT .*'ann'/ },
    { args: ['user=ann;id=x,', 'fly', 'a'], says: /one of read, write, subscribe, not 'fly'/ },
    { args: ['user=a,user=b', 'read', 'a'], says: /user= is given twice/ },
    { args: ['id=', 'read', 'a'], says: /id= is empty/ },
    { args: ['id=x', 'read', 'a/#'], says: /'a\/#' is not a topic name/ },
    { args: ['id=x', 'write', ''], says: /'' is not a topic name/ },
    { args: ['id=x', 'subscribe', 'a/#/b'], says: /is not a topic filter/ },
    { args: ['id=x', 'subscribe', '$share//a'], says: /is not a topic filter/ },
    { args: ['id=x', 'read', 'a'], conf: 'bad.conf', says: /^bad:1: / },
    { args: ['id=x', 'read', 'a'], conf: 'gone.conf', status: 13, says: /^gone: no such file/ },
    { args: ['id=x', 'read', 'a', '--listener', '99'], says: /no listener 99; there is 1883/ },
    { args: ['id=x', 'read', 'a'], conf: 'two.conf', says: /choose one with --listener \(1883, socket\)/ },
  ]
  for (const { args, conf = 'tsmq.conf', status = 3, says } of nonsense)
    test(`${conf}: ${args.join(' ')}: ${says}`, () => {
      const result = ask(conf, ['--acl-check', ...args])
      assert.deepEqual([result.status, result.printed], [status, []])
      assert.match(result.complaints.join('\n'), says)
    })

  test('--listener chooses by port or path', () => {
    const at = (place: string, topic: string) =>
      ask('two.conf', ['--listener', place, '--acl-check', 'id=x', 'read', topic]).printed[0]?.slice(0, 5)
    assert.deepEqual([at('1883', 'public/a'), at('1883', 'other/a')], ['allow', 'deny '])
    const socket = join(folder, 'socket')
    assert.deepEqual([at(socket, 'public/a'), at(socket, 'other/a')], ['deny ', 'allow'])
  })
})

describe('--acl-test', () => {
  function table(text: string) {
    const file = join(folder, 'table')
    writeFileSync(file, text)
    return ask('tsmq.conf', ['--acl-test', file])
  }

  test('every kind of line, all as expected', () => {
    const { printed, complaints, status } = table(`# comment

allow user=ann,id=x read home/a
deny  user=ann,id=x  write  home/safe
allow id=x read public/a
allow read public/a
allow user=John Smith,id=x write his own/topic\r
allow user=ann,id=x subscribe #
`)
    assert.deepEqual([printed, status], [[], 0])
    assert.equal(complaints.at(-1), 'table: 6 of 6 answers are as expected')
  })

  test('each answer that is another, with its line and the rule', () => {
    const { printed, complaints, status } = table(
      'deny user=ann,id=x read home/a\nallow id=x read b\nallow id=x read public\n',
    )
    assert.deepEqual(printed, [
      'table:1: expected deny, got allow  acl:3  topic readwrite home/#',
      'table:2: expected allow, got deny  acl  no rule matches',
    ])
    assert.deepEqual([complaints.at(-1), status], ['table: 1 of 3 answers are as expected', 65])
  })

  test('every line that is no question, and nothing is asked', () => {
    const { printed, complaints, status } = table(
      'deny user=ann read home/a\nmaybe user=ann read a\nallow\nallow ann read a\nallow id=x fly a\nallow id=x read a/+\n # x\n',
    )
    assert.deepEqual([printed, status], [[], 3])
    assert.deepEqual(
      complaints.map((line) => line.slice(0, 'table:2:'.length)),
      ['table:2:', 'table:3:', 'table:4:', 'table:5:', 'table:6:', 'table:7:'],
    )
  })

  for (const [name, text] of Object.entries({ nothing: '', 'only comments': '#\n\n' }))
    test(`${name}: a table that cannot fail is refused`, () => {
      const { complaints, status } = table(text)
      assert.deepEqual([complaints, status], [['table: there is no question in it'], 3])
    })

  test('a table that is not there', () => {
    const { complaints, status } = ask('tsmq.conf', ['--acl-test', join(folder, 'nowhere')])
    assert.deepEqual([complaints, status], [['nowhere: no such file or directory'], 3])
  })
})

describe('as commands', { concurrency: 4 }, () => {
  const run = (...args: readonly string[]) => command('tsmq', args, { cwd: folder, input: '' }).end()

  test('the answer is on stdout, alone', async () => {
    const { status, stdout, stderr } = await run(
      '-c',
      'tsmq.conf',
      '--acl-check',
      'user=ann,id=x',
      'write',
      'home/safe',
    )
    assert.deepEqual([status, stdout, stderr], [12, `deny  ${folder}/acl:4  topic deny home/safe\n`, ''])
  })

  test('a table that fails is exit 65', async () => {
    writeFileSync(join(folder, 'failing'), 'allow id=x read b\n')
    const { status, stdout } = await run('-c', 'tsmq.conf', '--acl-test', 'failing')
    assert.deepEqual([status, stdout], [65, `failing:1: expected allow, got deny  ${folder}/acl  no rule matches\n`])
  })

  const usage = [
    { args: ['--acl-check', 'id=x', 'read', 'a'], says: '--config-file' },
    { args: ['-c', 'tsmq.conf', '--acl-check', 'id=x', 'read'], says: 'CLIENT VERB TOPIC' },
    { args: ['-c', 'tsmq.conf', '--listener', '1883'], says: '--acl-check or --acl-test' },
    { args: ['-c', 'tsmq.conf', '--acl-test', 'f', '--test-config'], says: '--test-config' },
    { args: ['-d', '-c', 'tsmq.conf', '--acl-test', 'f'], says: '-d' },
    { args: ['-c', 'tsmq.conf', '--test-config', '--ready-file', 'f'], says: '--ready-file' },
  ]
  for (const { args, says } of usage)
    test(`${args.join(' ')} is wrong usage`, async () => {
      const { status, stderr } = await run(...args)
      assert.equal(status, 3)
      assert.ok(stderr.includes(says), stderr)
    })
})
