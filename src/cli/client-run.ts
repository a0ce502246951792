// What a run of tsmq-pub and of tsmq-sub have in common: usage errors, help and version, and how the end of a connection becomes
// a message and an exit status.

import type { ClientError } from '../client/client-error.js'
import { hostAndPort } from '../net/dial.js'
import { type CommandLine, parseCommandLine, UsageError } from '../options/command-line.js'
import type { HelpTopic } from '../options/help-text.js'
import type { Flag } from '../options/option.js'
import type { ClientSetup } from './client-setup.js'
import { statusOf } from './client-status.js'
import { EXIT_STATUS } from './exit.js'
import { FormatError } from './message-format.js'
import { PayloadError } from './payload-source.js'
import { openTerminal, type Streams, type Terminal } from './terminal.js'

type WithHelp = { readonly values: { readonly help: boolean; readonly version: boolean; readonly quiet: boolean } }

/**
 * Reads the command line and carries it out with `run`; answers `--help`, `--version` and wrong usage itself.
 * @returns the exit status
 */
export async function runClient<const T extends readonly Flag[]>(
  command: string,
  topic: HelpTopic & { readonly table: T },
  argv: readonly string[],
  streams: Streams,
  run: (line: CommandLine<T>, terminal: Terminal) => Promise<number>,
): Promise<number> {
  try {
    const line = parseCommandLine(topic.table, argv)
    const { values } = line as CommandLine<T> & WithHelp
    const terminal = await openTerminal(streams, values.quiet)
    if (values.help || values.version) {
      const text = values.help ? await helpOf(topic, streams) : await versionOf(command)
      terminal.output.text(text)
      return await finished(terminal, EXIT_STATUS.ok)
    }
    return await run(line, terminal)
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof FormatError || error instanceof PayloadError)) throw error
    const terminal = await openTerminal(streams, true)
    terminal.error(error.message)
    if (!(error instanceof PayloadError)) streams.stderr.write(`\nTry '${command} --help'.\n`)
    return EXIT_STATUS.failure
  }
}

async function helpOf(topic: HelpTopic, streams: Streams): Promise<string> {
  const { helpText } = await import('../options/help-text.js')
  return helpText(topic, streams.stderr.columns)
}

async function versionOf(command: string): Promise<string> {
  const { packageVersion } = await import('./version.js')
  return `${command} version ${packageVersion()}\n`
}

/** Resolves to `status` when everything printed has reached its reader. */
export function finished(terminal: Terminal, status: number): Promise<number> {
  terminal.settle()
  return new Promise((resolve) => terminal.output.whenWritten(() => resolve(status)))
}

/** Shown while there is no connection. */
export function connectingText(setup: ClientSetup): string {
  return `connecting to ${hostAndPort(setup.options.target)}`
}

/** Says what ended a run, unless that is nobody's business, and returns the exit status. */
export function reportEnd(error: ClientError, setup: ClientSetup, terminal: Terminal): number {
  if (!setup.quiet) terminal.error(describe(error, setup))
  return statusOf(error)
}

function describe(error: ClientError, setup: ClientSetup): string {
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
