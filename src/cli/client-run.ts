// What a run of tsmq-pub and of tsmq-sub have in common: usage errors, help and version, and how the end of a connection becomes
// a message and an exit status.

import { ClientError } from '../client/client-error.js'
import type { PacketWatcher } from '../client/link.js'
import { hostAndPort } from '../net/dial.js'
import { causeOf, codeOf } from '../net/dial-causes.js'
import { type CommandLine, parseCommandLine, UsageError } from '../options/command-line.js'
import type { HelpTopic } from '../options/help-text.js'
import type { Flag } from '../options/option.js'
import { defaultOptionsFile, type EarlierWords, readOptionsFile } from '../options/options-file.js'
import type { ClientSetup } from './client-setup.js'
import { statusOf } from './client-status.js'
import { EXIT_STATUS } from './exit.js'
import { exitStatusesOf } from './exit-statuses.js'
import { onInterrupt } from './interrupts.js'
import { PacketTrace } from './packet-trace.js'
import { PayloadError } from './payload-source.js'
import { openTerminal, type Streams, type Terminal } from './terminal.js'

/** What asks for a text and nothing else. */
interface Questions {
  readonly help: boolean
  readonly version: boolean
  readonly exit_codes: boolean
  readonly completion: 'bash' | 'zsh' | 'fish' | undefined
}

type ClientCommand = 'tsmq-pub' | 'tsmq-sub'

/**
 * Reads the command line and carries it out with `run`; answers `--help`, `--version` and wrong usage itself.
 * @returns the exit status
 */
export async function runClient<const T extends readonly Flag[]>(
  command: ClientCommand,
  topic: HelpTopic & { readonly table: T },
  argv: readonly string[],
  streams: Streams,
  run: (line: CommandLine<T>, terminal: Terminal) => Promise<number>,
): Promise<number> {
  let terminal: Terminal | undefined
  try {
    const warnings: string[] = []
    const line = parseCommandLine(topic.table, argv, {
      earlier: ({ names, text }) => defaultOptions(command, names, text('options_file'), streams.env, warnings),
    })
    const values = line.values as Questions & { readonly quiet: boolean }
    terminal = await openTerminal(streams, values.quiet)
    for (const warning of warnings) terminal.warning(warning)
    if (!values.help && !values.version && !values.exit_codes && values.completion === undefined)
      return await run(line, terminal)
    terminal.output.text(await answer(command, values, topic, streams))
    return await finished(terminal, EXIT_STATUS.ok)
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof PayloadError)) throw error
    terminal ??= await openTerminal(streams, true)
    terminal.error(error.message)
    if (!(error instanceof PayloadError)) streams.stderr.write(`\nTry '${command} --help'.\n`)
    return EXIT_STATUS.failure
  }
}

/** The lines of the file that `-o` names, or else of the first there is by the names that belong to the command. */
function defaultOptions(
  command: ClientCommand,
  given: readonly string[],
  named: string | undefined,
  env: NodeJS.ProcessEnv,
  warnings: string[],
): readonly EarlierWords[] {
  const theirs = command === 'tsmq-sub' ? 'mosquitto_sub' : given.includes('rr') ? 'mosquitto_rr' : 'mosquitto_pub'
  const file = named ?? defaultOptionsFile([command, theirs], env)
  if (file === undefined) return []
  try {
    return readOptionsFile(file)
  } catch (error) {
    const isMissing = codeOf(error as Error) === 'ENOENT'
    const problem = `cannot read the options file ${file}: ${causeOf(error as Error)}`
    if (named !== undefined && !isMissing) throw new UsageError(`-o: ${problem}`)
    warnings.push(problem)
    return []
  }
}

async function answer(command: ClientCommand, values: Questions, topic: HelpTopic, streams: Streams): Promise<string> {
  if (values.help) {
    const { helpText } = await import('../options/help-text.js')
    return helpText(topic, streams.stderr.columns)
  }
  if (values.version) {
    const { packageVersion } = await import('../version.js')
    return `${command} version ${packageVersion()}\n`
  }
  if (values.exit_codes) return exitCodes(command)
  const { completionScript } = await import('../options/completion.js')
  return completionScript(values.completion ?? 'bash', command, topic.table)
}

/** The table for `--exit-codes`: status, a tab, meaning. */
function exitCodes(command: ClientCommand): string {
  return exitStatusesOf(command)
    .map(([status, text]) => `${status}\t${text}\n`)
    .join('')
}

/** Resolves to `status` when everything printed has reached its reader. */
export function finished(terminal: Terminal, status: number): Promise<number> {
  terminal.settle()
  return new Promise((resolve) => terminal.output.whenWritten(() => resolve(status)))
}

/** What prints the packets, if that is wanted. */
export function packetTrace({ debug, options }: ClientSetup, { output }: Terminal): PacketWatcher | undefined {
  return debug ? new PacketTrace(options.clientId, (line) => output.text(`${line}\n`)) : undefined
}

/**
 * The life of a client: `begin` starts it and is given what ends it with a status; a signal makes it leave. Resolves to the status.
 */
export async function untilEnd(
  setup: ClientSetup,
  terminal: Terminal,
  leave: (status: number) => void,
  begin: (finish: (status: number) => void) => void,
): Promise<number> {
  terminal.waitFor(connectingText(setup))
  const release = onInterrupt(leave)
  try {
    return await new Promise<number>(begin)
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    terminal.error(`unable to connect: ${error.message}`)
    return EXIT_STATUS.failure
  } finally {
    release()
  }
}

/** Shown while there is no connection. */
export function connectingText(setup: ClientSetup): string {
  return `connecting to ${hostAndPort(setup.options.target)}`
}

/** Says what ended a run, unless that is nobody's business, and returns the exit status. */
export function reportEnd(error: ClientError, setup: ClientSetup, terminal: Terminal): number {
  if (!setup.quiet) terminal.error(describeEnd(error, setup))
  return statusOf(error)
}

/** What ended a connection, in words. */
export function describeEnd(error: ClientError, setup: ClientSetup): string {
  switch (error.kind) {
    case 'refused': {
      const advice = error.reasonCode === 0x84 && setup.options.version === 5 ? '; try -V 311' : ''
      return `connection refused by ${hostAndPort(setup.options.target)}: ${error.message}${advice}`
    }
    case 'disconnected':
      return `disconnected by the broker: ${error.message}`
    case 'publish refused':
      return `publish refused by the broker: ${error.message}`
    default:
      return error.message
  }
}
