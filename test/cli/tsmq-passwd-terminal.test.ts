// tsmq-passwd on a pseudo-terminal: nothing typed is shown, the terminal is given back, progress is drawn.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { after, beforeEach, describe, test } from 'node:test'
import { parsePasswordFile } from '../../src/access/password-file.js'
import { verifyPassword } from '../../src/access/password-hash.js'

const BIN = resolve('bin', 'tsmq-passwd')
const base = mkdtempSync(join(tmpdir(), 'tsmq-passwd-'))
let file: string

beforeEach(() => {
  file = join(mkdtempSync(join(base, 'test-')), 'passwords')
})
after(() => rmSync(base, { recursive: true }))

/** Runs the command on a pseudo-terminal, answers each prompt, and reports echo, output, status and the state afterwards. */
const PTY = `
import json, os, pty, select, signal, struct, sys, termios, time
command, steps = json.loads(sys.argv[1])
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    import fcntl
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
    for fd in (0, 1, 2): os.dup2(slave, fd)
    os.execv(command[0], command)
flags = lambda: termios.tcgetattr(slave)[3]
before = flags()
output, echo = b'', []
def wait_for(text):
    global output
    end = time.time() + 20
    while text not in output and time.time() < end:
        if select.select([master], [], [], 0.1)[0]: output += os.read(master, 4096)
for text, answer in steps:
    wait_for(text.encode())
    end = time.time() + 2
    while flags() & termios.ECHO and time.time() < end: time.sleep(0.01)
    echo.append(bool(flags() & termios.ECHO))
    if answer == 'SIGTERM': os.kill(pid, signal.SIGTERM)
    else: os.write(master, answer.encode())
end = time.time() + 20
status = None
while time.time() < end:
    if select.select([master], [], [], 0.05)[0]: output += os.read(master, 4096)
    elif status is not None: break
    if status is None:
        ended, code = os.waitpid(pid, os.WNOHANG)
        if ended: status = os.waitstatus_to_exitcode(code)
print(json.dumps({'output': output.decode(), 'echo': echo, 'status': status, 'restored': flags() == before}))
`

describe('a terminal', () => {
  const missing = spawnSync('python3', ['-c', 'import pty, os; os.waitstatus_to_exitcode']).status !== 0
  const note = missing ? ' (skipped: python3 is not installed)' : ''

  function onTerminal(args: readonly string[], steps: readonly (readonly [prompt: string, answer: string])[]) {
    const job = JSON.stringify([[process.execPath, BIN, ...args], steps])
    // With CI set, spinners hold still even on a terminal.
    const env = { ...process.env, CI: undefined }
    const { stdout, stderr } = spawnSync('python3', ['-c', PTY, job], { encoding: 'utf8', env })
    assert.equal(stderr, '')
    return JSON.parse(stdout) as { output: string; echo: boolean[]; status: number; restored: boolean }
  }

  test(`nothing that is typed is shown${note}`, { skip: missing }, async () => {
    const { output, echo, status, restored } = onTerminal(
      ['-c', '-H', 'sha512-pbkdf2', file, 'a'],
      [
        ['Password: ', 'sekret\x7fet\r'],
        ['Reenter password: ', 'sekreet\r'],
      ],
    )
    assert.deepEqual(echo, [false, false])
    assert.equal(output.replaceAll('\r\n', '\n'), 'Password: \nReenter password: \nAdding password for user a\n')
    assert.equal(status, 0)
    assert.equal(restored, true)
    const hash = parsePasswordFile(readFileSync(file)).users.get('a')
    assert.ok(hash && (await verifyPassword(Buffer.from('sekreet'), hash, { hash: () => Promise.reject(new Error()) })))
  })
  for (const [name, answer, expected] of [
    ['Ctrl-C', '\x03', 130],
    ['SIGTERM', 'SIGTERM', 143],
  ] as const) {
    test(`${name} at the prompt gives the terminal back, status ${expected}${note}`, { skip: missing }, () => {
      const { status, restored } = onTerminal(['-c', file, 'a'], [['Password: ', answer]])
      assert.equal(status, expected)
      assert.equal(restored, true)
      assert.equal(existsSync(file), false)
    })
    test(`${name} at the second prompt leaves the file alone, status ${expected}${note}`, { skip: missing }, () => {
      writeFileSync(file, '# mine\n', { mode: 0o600 })
      const steps = [['Password: ', 'x\r'] as const, ['Reenter password: ', answer] as const]
      const { status, restored } = onTerminal([file, 'a'], steps)
      assert.deepEqual([status, restored], [expected, true])
      assert.equal(readFileSync(file, 'utf8'), '# mine\n')
      assert.deepEqual(readdirSync(dirname(file)), ['passwords'])
    })
  }
  test(`-i and -v ask once on a terminal, and show nothing${note}`, { skip: missing }, () => {
    writeFileSync(file, '', { mode: 0o600 })
    const set = onTerminal(['-i', '-H', 'sha512-pbkdf2', file, 'a'], [['Password: ', 'sekret\r']])
    assert.deepEqual([set.status, set.echo, set.restored], [0, [false], true])
    for (const [answer, status] of [
      ['sekret\r', 0],
      ['other\r', 3],
    ] as const) {
      const result = onTerminal(['-v', file, 'a'], [['Password: ', answer]])
      assert.deepEqual([result.status, result.echo, result.restored], [status, [false], true])
      assert.ok(!result.output.includes(answer.trim()))
    }
  })
  test(`-U of many users shows progress${note}`, { skip: missing }, () => {
    writeFileSync(file, Array.from({ length: 40 }, (_, i) => `u${i}:x\n`).join(''), { mode: 0o600 })
    const { output, status } = onTerminal(['-U', '--cost', '4', file], [])
    assert.equal(status, 0)
    assert.match(output, /Hashing passwords: \d+ of 40/)
    assert.match(output, /40 of 40 passwords hashed/)
  })
  test(`Ctrl-C while a file is hashed leaves it as it was${note}`, { skip: missing }, () => {
    const text = Array.from({ length: 40 }, (_, i) => `u${i}:x\n`).join('')
    writeFileSync(file, text, { mode: 0o600 })
    const { output, status, restored } = onTerminal(['-U', '--cost', '14', file], [['Hashing', '\x03']])
    assert.equal(status, 130)
    assert.equal(restored, true)
    assert.ok(output.endsWith('\x1b[?25h'), 'the cursor is back')
    assert.equal(readFileSync(file, 'utf8'), text)
    assert.deepEqual(readdirSync(dirname(file)), ['passwords'])
  })
})
