// The commands as processes of their own, from bin/: the broker on a free port with files and a configuration in a folder of its
// own, and the others to run against it. Tests that need no process use broker-kit.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Program, type ProgramOptions } from './program.js'

export interface TsmqOptions {
  /** Lines of the configuration behind `listener PORT 127.0.0.1`; `{folder}` stands for the folder of `files`. None: local-only mode. */
  readonly conf?: string
  /** Any free one unless given. */
  readonly port?: number
  /** name → content, each for its owner only. */
  readonly files?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Most files it may have open. */
  readonly openFiles?: number
}

/** A broker that accepts connections. */
export interface TsmqProcess {
  readonly program: Program
  readonly port: number
  readonly folder: string
  /** Ends it with SIGTERM and removes its files; returns its exit status. */
  stop(): Promise<number | null>
}

/** A broker started by root stays root: what a test writes is for its owner only. Without effect for anybody else. */
const STAY_ROOT = { PUID: '0', PGID: '0' }

/** One of the four commands with Node, as `bin/` starts it. */
export function command(
  name: 'tsmq' | 'tsmq-pub' | 'tsmq-sub' | 'tsmq-passwd',
  args: readonly string[],
  options?: ProgramOptions,
): Program {
  return new Program(process.execPath, [resolve('bin', name), ...args], {
    ...options,
    env: { ...STAY_ROOT, ...options?.env },
  })
}

/** Starts the broker and waits until it is running. Stop it in `after` or `finally`. */
export async function startTsmq({
  conf,
  port: wanted = 0,
  files = {},
  args = [],
  env = {},
  openFiles,
}: TsmqOptions = {}): Promise<TsmqProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'tsmq-process-'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content, { mode: 0o600 })
  const file = join(folder, 'tsmq.conf')
  if (conf !== undefined) writeFileSync(file, `listener ${wanted} 127.0.0.1\n${conf.replaceAll('{folder}', folder)}\n`)
  const words = [...(conf === undefined ? ['-p', `${wanted}`] : ['-c', file]), ...args]
  const program =
    openFiles === undefined
      ? command('tsmq', words, { cwd: folder, env })
      : new Program(
          'sh',
          ['-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, process.execPath, resolve('bin/tsmq'), ...words],
          {
            cwd: folder,
            env: { ...STAY_ROOT, ...env },
          },
        )
  try {
    const opened = await program.line(/Opening ipv4 (?:\w+ )*listen socket on port \d+\./)
    await program.line(/ running$/)
    const port = Number(/port (\d+)\./.exec(opened)?.[1])
    return {
      program,
      port,
      folder,
      async stop() {
        const { status } = await program.stop()
        rmSync(folder, { recursive: true, force: true })
        return status
      },
    }
  } catch (error) {
    program.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
    throw error
  }
}
