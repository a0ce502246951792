// The broker as a process among others: background, pid file, users, environment, signals, systemd (spec: broker-options.md
// sections 1 to 3 and 8). What needs root is skipped for anybody else, which the names say.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Disconnect } from '../../src/protocol/packets/disconnect.js'
import { passwordFile } from '../support/password-lines.js'
import { Program } from '../support/program.js'
import { RawClient } from '../support/raw-client.js'
import { command, startTsmq } from '../support/tsmq-process.js'
import { until } from '../support/until.js'

const base = mkdtempSync(join(tmpdir(), 'tsmq-life-'))
after(() => rmSync(base, { recursive: true }))

const together = { concurrency: 4 }
const anonymous = 'allow_anonymous true\n'
const isRoot = process.geteuid?.() === 0
const rootOnly = { skip: !isRoot }
const root = isRoot ? '' : ' (skipped: needs root)'

/** Whether the process is there and not merely waiting to be buried. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** A port that only root may listen on, and nobody does. */
async function privilegedPort(): Promise<number> {
  for (let port = 1023; port > 600; port--) {
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    server.close()
    if (isFree) return port
  }
  throw new Error('no free port below 1024')
}

/** A new folder with a configuration; `{folder}` in it stands for the folder. */
function write(conf: string, files: Readonly<Record<string, string>> = {}): { folder: string; file: string } {
  const folder = mkdtempSync(join(base, 'test-'))
  const file = join(folder, 'tsmq.conf')
  for (const [name, content] of Object.entries({ ...files, 'tsmq.conf': conf }))
    writeFileSync(join(folder, name), content.replaceAll('{folder}', folder), { mode: 0o600 })
  return { folder, file }
}

function tsmq(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return command('tsmq', args, { cwd: base, env, input: '' }).end()
}

describe('-d', together, () => {
  test('returns 0 when the broker runs, in a session of its own; it ends by SIGTERM and takes its pid file along', async () => {
    const lines = `${anonymous}pid_file {folder}/pid\nlog_dest file {folder}/log\n`
    const { folder, file } = write(`listener 0 127.0.0.1\n${lines}`)
    assert.deepEqual(await tsmq(['-d', '-c', file]), { status: 0, stdout: '', stderr: '' })
    const text = readFileSync(join(folder, 'pid'), 'utf8')
    assert.match(text, /^\d+$/)
    const pid = Number(text)
    try {
      const log = readFileSync(join(folder, 'log'), 'utf8')
      assert.match(log, / running$/m)
      const { connack } = await RawClient.connect(Number(/on port (\d+)\./.exec(log)?.[1]), {})
      assert.equal(connack.reasonCode, 0)
      const [session] = execFileSync('ps', ['-o', 'sid=', '-p', text], { encoding: 'utf8' }).trim().split(' ')
      assert.equal(session, text)
    } finally {
      process.kill(pid, 'SIGTERM')
    }
    await until(() => !isAlive(pid), 'the end')
    assert.equal(existsSync(join(folder, 'pid')), false)
    assert.match(readFileSync(join(folder, 'log'), 'utf8'), / terminating$/m)
  })

  test('tells why the broker did not start, with its status', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    const used = await tsmq(['-d', '-p', `${port}`])
    server.close()
    assert.equal(used.status, 1)
    assert.match(used.stderr, /^tsmq: port \d+ of 127\.0\.0\.1 is already in use/m)
    const { file } = write('listner 1\nmax_qos 9\n')
    const wrong = await tsmq(['-d', '-c', file])
    assert.equal(wrong.status, 3)
    assert.match(wrong.stderr, /tsmq\.conf:1: .*\n.*tsmq\.conf:2: /)
  })
})

describe('pid_file', together, () => {
  test('holds the number of the process and goes with it', async () => {
    const { program, folder, stop } = await startTsmq({ conf: `${anonymous}pid_file {folder}/pid\n` })
    try {
      assert.equal(readFileSync(join(folder, 'pid'), 'utf8'), String(program.pid))
      await program.stop()
      assert.equal(existsSync(join(folder, 'pid')), false)
    } finally {
      await stop()
    }
  })

  test('that cannot be written: exit 14', async () => {
    const { file } = write('listener 0 127.0.0.1\npid_file {folder}/none/pid\n')
    const { status, stderr } = await tsmq(['-c', file])
    assert.equal(status, 14)
    assert.match(stderr, /^tsmq: cannot write pid_file .*none\/pid: no such file or directory$/m)
  })

  test('of a broker that was killed is replaced', async () => {
    const { folder, file } = write('listener 0 127.0.0.1\npid_file {folder}/pid\n', { pid: '123456789' })
    const program = command('tsmq', ['-c', file], { cwd: folder })
    await program.line(/ running$/)
    assert.equal(readFileSync(join(folder, 'pid'), 'utf8'), String(program.pid))
    assert.equal((await program.stop()).status, 0)
    assert.deepEqual(readdirSync(folder), ['tsmq.conf'])
  })

  test('of the broker that is running is left alone by one that cannot start', async () => {
    const { program, port, folder, stop } = await startTsmq({ conf: `${anonymous}pid_file {folder}/pid\n` })
    try {
      const { file } = write(`listener ${port} 127.0.0.1\npid_file ${folder}/pid\n`)
      assert.equal((await tsmq(['-c', file])).status, 1)
      assert.equal(readFileSync(join(folder, 'pid'), 'utf8'), String(program.pid))
    } finally {
      await stop()
    }
  })
})

/** What tells others of the process, and by which words a broker is told of it. */
const ownFiles: readonly { readonly name: string; readonly conf: string; readonly args: readonly string[] }[] = [
  { name: 'pid_file', conf: 'pid_file {folder}/own/it\n', args: [] },
  { name: '--ready-file', conf: '', args: ['--ready-file', '{folder}/own/it'] },
]
for (const { name, conf, args } of ownFiles)
  describe(`${name} in a folder of others`, together, () => {
    const prepare = (more = '') => {
      const { folder, file } = write(`listener 0 127.0.0.1\n${anonymous}${conf}${more}`)
      mkdirSync(join(folder, 'own'))
      const words = ['-c', file, ...args.map((word) => word.replace('{folder}', folder))]
      return { folder, words, path: join(folder, 'own', 'it') }
    }
    const links: readonly { readonly what: string; make(path: string, folder: string): void; readonly says: RegExp }[] =
      [
        {
          what: 'a symbolic link',
          make: (path, folder) => symlinkSync(join(folder, 'precious'), path),
          says: /own\/it.*: is a symbolic link$/m,
        },
        { what: 'a folder', make: (path) => mkdirSync(path), says: /own\/it.*: is a directory$/m },
        {
          what: 'a named pipe',
          make: (path) => void execFileSync('mkfifo', [path]),
          says: /own\/it.*: is not a regular file$/m,
        },
      ]
    for (const { what, make, says } of links)
      test(`${what} is not written through and not removed: exit 14`, async () => {
        const { folder, words, path } = prepare()
        writeFileSync(join(folder, 'precious'), 'as it was')
        make(path, folder)
        const { status, stderr } = await tsmq(words)
        assert.equal(status, 14)
        assert.match(stderr, says)
        assert.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'as it was')
        assert.ok(lstatSync(path, { throwIfNoEntry: false }))
        if (name === 'pid_file') {
          const check = await tsmq([...words, '--test-config'])
          assert.deepEqual([check.status, says.test(check.stderr)], [3, true], check.stderr)
        }
      })

    test('a link that waits where it is written first is not followed', async () => {
      const { folder, words, path } = prepare()
      writeFileSync(join(folder, 'precious'), 'as it was')
      // Its number is known to whoever starts it by exec.
      const script = `ln -s ${join(folder, 'precious')} ${path}.$$; exec "$0" "$@"`
      const program = new Program('sh', ['-c', script, process.execPath, resolve('bin/tsmq'), ...words], {
        cwd: folder,
        env: { PUID: '0', PGID: '0' },
      })
      await program.line(/ running$/)
      await until(() => existsSync(path), name)
      assert.equal((await program.stop()).status, 0)
      assert.equal(readFileSync(join(folder, 'precious'), 'utf8'), 'as it was')
      assert.deepEqual(readdirSync(join(folder, 'own')), [])
    })

    test(
      `that only root may write to, of a broker that becomes another user: there, then empty${root}`,
      rootOnly,
      async () => {
        const { folder, words, path } = prepare('user nobody\n')
        for (const each of [base, folder, join(folder, 'own')]) chmodSync(each, 0o755)
        writeFileSync(path, 'of an earlier one')
        const program = command('tsmq', words, {
          cwd: folder,
          env: { PUID: undefined, PGID: undefined } as unknown as Record<string, string>,
        })
        await program.line(/Running as user nobody\./)
        await program.line(/ running$/)
        await until(() => readFileSync(path, 'utf8').includes(String(program.pid)), name)
        assert.doesNotMatch(readFileSync(path, 'utf8'), /earlier/)
        assert.equal((await program.stop()).status, 0)
        assert.equal(readFileSync(path, 'utf8'), '')
      },
    )
  })

describe('user and environment', together, () => {
  const inherited = { PUID: undefined, PGID: undefined } as unknown as Record<string, string>

  /** The user and group numbers of a process, effective and real, and its further groups. */
  const idsOf = (pid: number) =>
    ['Uid', 'Gid', 'Groups'].map((name) =>
      new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split(/\s+/),
    )
  const four = (id: number) => Array.from({ length: 4 }, () => String(id))

  test(
    `user nobody: becomes it when the sockets are open, before files are read and made${root}`,
    rootOnly,
    async () => {
      const [uid, gid] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, 'nobody'], { encoding: 'utf8' })))
      const port = await privilegedPort()
      const { folder, file } = write(
        `listener ${port} 127.0.0.1\npassword_file {folder}/passwords\npid_file {folder}/pid\nuser nobody\nlog_dest file {folder}/log\nlog_dest stderr\n`,
        { passwords: passwordFile('ann') },
      )
      const refused = await tsmq(['-c', file], inherited)
      assert.equal(refused.status, 13, refused.stderr)
      assert.match(refused.stderr, /permission denied for user nobody/)
      chmodSync(base, 0o755)
      for (const path of [folder, join(folder, 'passwords')]) chownSync(path, uid ?? 0, gid ?? 0)
      chmodSync(file, 0o644)
      const program = command('tsmq', ['-c', file], { cwd: folder, env: inherited })
      try {
        await program.line(/Running as user nobody\./)
        await program.line(/ running$/)
        assert.deepEqual(idsOf(program.pid), [four(uid ?? 0), four(gid ?? 0), [String(gid)]])
        assert.equal(statSync(join(folder, 'log')).uid, uid)
        assert.doesNotMatch(program.stderr, /belongs to another/)
        const { connack } = await RawClient.connect(port, { username: 'ann', password: 'ann' })
        assert.equal(connack.reasonCode, 0)
        // What it may not read any more is no reason to end.
        chownSync(join(folder, 'passwords'), 0, 0)
        program.kill('SIGHUP')
        await program.line(/passwords: permission denied for user nobody/)
        await program.line(/the old one stays in force/)
      } finally {
        assert.equal((await program.stop()).status, 0)
      }
    },
  )

  test(`an unknown user: exit 3${root}`, rootOnly, async () => {
    const { file } = write('listener 0 127.0.0.1\nuser no-such-user\n')
    const { status, stderr } = await tsmq(['-c', file], inherited)
    assert.equal(status, 3)
    assert.match(stderr, /^tsmq: there is no user no-such-user/m)
  })

  test(`user root: stays root, with a warning${root}`, rootOnly, async () => {
    const { program, stop } = await startTsmq({ conf: `${anonymous}user root\n`, env: inherited })
    try {
      await program.line(/Running as root/)
      assert.deepEqual(idsOf(program.pid).slice(0, 2), [four(0), four(0)])
    } finally {
      await stop()
    }
  })

  test(`PUID and PGID instead of user${root}`, rootOnly, async () => {
    const { program, stop } = await startTsmq({ conf: `${anonymous}user root\n`, env: { PUID: '4242', PGID: '4343' } })
    try {
      assert.deepEqual(idsOf(program.pid), [four(4242), four(4343), ['4343']])
    } finally {
      await stop()
    }
  })

  for (const env of [{ PUID: 'x' }, { PGID: '-1' }, { PUID: '1.5' }])
    test(`${JSON.stringify(env)}: exit 3${root}`, rootOnly, async () => {
      const { status, stderr } = await tsmq(['-p', '0'], env as Record<string, string>)
      assert.equal(status, 3)
      assert.match(stderr, /^tsmq: P[UG]ID must be a whole number/m)
    })

  for (const mask of ['8', '778', 'abc', '', '1777'])
    test(`UMASK_SET '${mask}': exit 3`, async () => {
      const { status, stderr } = await tsmq(['-p', '0'], { UMASK_SET: mask })
      assert.equal(status, 3)
      assert.match(stderr, /^tsmq: UMASK_SET must be three octal digits/m)
    })

  test('UMASK_SET holds for files that are not secret', async () => {
    const conf = `${anonymous}pid_file {folder}/pid\nlog_dest file {folder}/log\nlog_dest stderr\n`
    const { folder, stop } = await startTsmq({ conf, env: { UMASK_SET: '027' } })
    try {
      assert.equal(statSync(join(folder, 'pid')).mode & 0o777, 0o640)
      assert.equal(statSync(join(folder, 'log')).mode & 0o777, 0o600)
    } finally {
      await stop()
    }
  })
})

describe('signals', together, () => {
  test('SIGHUP again and again is one reload now and then, and logins go on meanwhile', async () => {
    const files = { passwords: passwordFile('ann') }
    const { port, program, stop } = await startTsmq({ conf: 'password_file {folder}/passwords\n', files })
    const signals = setInterval(() => program.kill('SIGHUP'), 20)
    const begun = performance.now()
    try {
      for (let logins = 0; logins < 40; logins++) {
        const { connack, client } = await RawClient.connect(port, { clientId: 'a', username: 'ann', password: 'ann' })
        assert.equal(connack.reasonCode, 0)
        await client.drop()
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    } finally {
      clearInterval(signals)
      assert.equal(await stop(), 0)
    }
    const reloads = program.stderr.match(/Reloading config\.$/gm)?.length ?? 0
    const most = 2 + (performance.now() - begun) / 500
    assert.ok(reloads >= 2 && reloads <= most, `${reloads} reloads`)
  })

  test('SIGHUP: a user who is gone has to go; then a file with an error changes nothing', async () => {
    const files = { passwords: passwordFile('ann', 'bob') }
    const { port, program, folder, stop } = await startTsmq({ conf: 'password_file {folder}/passwords\n', files })
    try {
      const login = (name: string) =>
        RawClient.connect(port, { version: 5, clientId: name, username: name, password: name })
      const { client: ann } = await login('ann')
      const { client: bob } = await login('bob')
      writeFileSync(join(folder, 'passwords'), passwordFile('ann'))
      program.kill('SIGHUP')
      const [farewell] = (await bob.closed()) as Disconnect[]
      assert.equal(farewell?.reasonCode, 0x87)
      await program.line(/Reloading config\.$/)
      writeFileSync(join(folder, 'passwords'), 'broken\n')
      program.kill('SIGHUP')
      await program.line(/passwords:1: /)
      await program.line(/the old one stays in force/)
      assert.deepEqual(await ann.settled(), [])
      assert.equal((await login('ann')).connack.reasonCode, 0)
      assert.equal((await login('bob')).connack.reasonCode, 0x87)
    } finally {
      await stop()
    }
  })

  test('SIGUSR1 says that there is nothing to save, and opens no debugger', async () => {
    const { program, stop } = await startTsmq({ conf: anonymous })
    try {
      program.kill('SIGUSR1')
      await program.line(/nothing to save/)
    } finally {
      assert.equal(await stop(), 0)
    }
    assert.doesNotMatch(program.stderr, /[Dd]ebugger/)
  })

  test('SIGUSR2 prints subscriptions, shared ones and retained messages as trees', async () => {
    const { port, program, stop } = await startTsmq({ conf: `${anonymous}sys_interval 0\n` })
    try {
      const { client } = await RawClient.connect(port, { clientId: 'one' })
      await client.subscribe([
        { filter: 'a/+/c', qos: 1 },
        { filter: 'a/#', qos: 0 },
        { filter: '$share/g/a/b', qos: 2 },
      ])
      const { client: two } = await RawClient.connect(port, { clientId: 'two' })
      await two.subscribe([{ filter: 'a/#', qos: 2 }])
      two.publish({ topic: 'a/b', payload: 'four', retain: true, qos: 1 })
      await two.settled()
      program.kill('SIGUSR2')
      await program.line(/^ {4}b \(q1/)
    } finally {
      await stop()
    }
    const tree = [
      'Subscriptions:',
      '  a',
      '    +',
      '      c (one, 1)',
      '    # (one, 0) (two, 2)',
      'Shared subscriptions:',
      '  $share',
      '    g',
      '      a',
      '        b (one, 2)',
      'Retained messages:',
      '  a',
      '    b (q1, 4 bytes)',
    ]
    assert.equal(program.stdout, `${tree.join('\n')}\n`)
  })

  test('SIGTERM ends a start that takes for ever; SIGHUP waits for its end', async () => {
    const slow = 'await new Promise((resolve) => setTimeout(resolve, 1e8))\nexport default {}\n'
    const { folder, file } = write('listener 0 127.0.0.1\nplugin {folder}/slow.mjs\npid_file {folder}/pid\n', {
      'slow.mjs': slow,
    })
    const program = command('tsmq', ['-c', file], { cwd: folder })
    await until(() => existsSync(join(folder, 'pid')), 'the pid file')
    for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM'] as const) program.kill(signal)
    assert.equal((await program.end(5000)).status, 0, program.stderr)
    assert.match(program.lines.at(-1) ?? '', / terminating$/)
    assert.doesNotMatch(program.stderr, /Reloading/)
    assert.equal(existsSync(join(folder, 'pid')), false)
  })

  test('a second SIGTERM does not cut the end short', async () => {
    const { port, program, stop } = await startTsmq({ conf: anonymous })
    try {
      const { client: deaf } = await RawClient.connect(port, { version: 5, clientId: 'deaf' })
      deaf.pause()
      program.kill('SIGTERM')
      program.kill('SIGTERM')
      program.kill('SIGINT')
      assert.equal((await program.end(5000)).status, 0)
      assert.match(program.lines.at(-1) ?? '', / terminating$/)
    } finally {
      await stop()
    }
  })
})

describe('systemd', together, () => {
  /** A `systemd-notify` that writes its arguments to a file. */
  function fakeNotify(before = ''): { readonly path: string; read(): string } {
    const folder = mkdtempSync(join(base, 'notify-'))
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\n${before}\necho "$@" >> ${folder}/said\n`)
    chmodSync(join(bin, 'systemd-notify'), 0o755)
    const file = join(folder, 'said')
    return { path: `${bin}:${process.env.PATH}`, read: () => (existsSync(file) ? readFileSync(file, 'utf8') : '') }
  }

  test('READY, WATCHDOG twice as often as asked for, STOPPING', async () => {
    const notify = fakeNotify()
    const env = { PATH: notify.path, NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '200000' }
    const { stop } = await startTsmq({ conf: anonymous, env })
    await until(() => notify.read().split('WATCHDOG=1').length > 2, 'two signs of life')
    assert.equal(await stop(), 0)
    assert.match(notify.read(), /^READY=1\n(WATCHDOG=1\n)+STOPPING=1\n$/)
  })

  test('what is told later arrives later, and before the end', async () => {
    const notify = fakeNotify('[ "$1" = READY=1 ] && sleep 0.3')
    const { stop } = await startTsmq({ conf: anonymous, env: { PATH: notify.path, NOTIFY_SOCKET: '/nowhere' } })
    assert.equal(await stop(), 0)
    assert.equal(notify.read(), 'READY=1\nSTOPPING=1\n')
  })

  test('a systemd-notify that hangs does not keep the broker from its end', async () => {
    const notify = fakeNotify('exec sleep 5')
    const { stop } = await startTsmq({ conf: anonymous, env: { PATH: notify.path, NOTIFY_SOCKET: '/nowhere' } })
    assert.equal(await stop(), 0)
    assert.equal(notify.read(), '')
  })

  test('nothing without NOTIFY_SOCKET, no watchdog for another process', async () => {
    for (const env of [
      { WATCHDOG_USEC: '20000' },
      { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' },
    ]) {
      const notify = fakeNotify()
      const { stop } = await startTsmq({ conf: anonymous, env: { NOTIFY_SOCKET: '', ...env, PATH: notify.path } })
      await stop()
      assert.equal(notify.read(), 'WATCHDOG_PID' in env ? 'READY=1\nSTOPPING=1\n' : '')
    }
  })

  test('without systemd-notify: one warning, and the broker goes on', async () => {
    const env = { PATH: '/nowhere', NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '20000', PUID: '0', PGID: '0' }
    const { program, stop } = await startTsmq({ conf: anonymous, env })
    await program.line(/cannot tell systemd READY=1/)
    assert.equal(await stop(), 0)
    assert.equal(program.stderr.match(/cannot tell systemd/g)?.length, 1)
  })
})
