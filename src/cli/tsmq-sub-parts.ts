// The parts of a run of tsmq-sub, made from its flags: printer, recording, programs, tables. Those that were not asked for are not
// there, and what only they need is not loaded.

import { systemText } from '../access/restricted-file.js'
import type { ClientError } from '../client/client-error.js'
import { type CommandLine, UsageError } from '../options/command-line.js'
import type { subOptions } from '../options/sub-options.js'
import { isColoured } from './colour-choice.js'
import { Expectations } from './expectations.js'
import type { CommandOwner, MessageCommands } from './message-commands.js'
import type { FlowParts } from './message-flow.js'
import { MessagePrinter, type PrintStyle } from './message-printer.js'
import { openRecording } from './message-record.js'
import { preciseClock } from './message-time.js'
import type { Output } from './output.js'
import { type Publisher, RetainedRemoval } from './retained-removal.js'
import type { Streams, Terminal } from './terminal.js'
import { TopicChanges } from './topic-changes.js'
import { TopicSummary } from './topic-summary.js'
import { WatchScreen } from './watch-screen.js'

/** The run that the parts belong to. */
export interface PartsOwner extends CommandOwner {
  readonly client: Publisher
  onRecordingLost(problem: string): void
  onRemoved(failure: ClientError | undefined, topic: string): void
}

export interface RunParts extends FlowParts {
  /** One of them cannot take more for now; `onProgress` of the owner tells when that may have changed. */
  readonly isBehind: boolean
  /** Everything that was begun is done. */
  readonly isIdle: boolean
  /** Resolves when what was recorded is in its file. */
  close(): Promise<void>
}

/** @throws UsageError for words that mean nothing and files that cannot be used, FormatError for a format. */
export async function openParts(
  { values, operands }: CommandLine<typeof subOptions>,
  streams: Streams,
  terminal: Terminal,
  owner: PartsOwner,
): Promise<RunParts> {
  const { output } = terminal
  const now = preciseClock()
  const isTerminal = streams.stdout.isTTY === true
  if (values.raw) output.escaping = false
  const style = await styleOf(isTerminal && !values.raw, streams, values.quiet)
  const problem = (text: string) => terminal.error(text)
  const printer = new MessagePrinter(values, output, problem, style)
  const expectations = new Expectations(values)
  const commands =
    values.exec === undefined ? undefined : await programs(values.exec, operands, values.exec_jobs, now, owner)
  const recording = recordingOf(values.record, output, owner)
  const removes = values.remove_retained && !values.dry_run
  const removal = removes ? new RetainedRemoval(owner.client, (...end) => owner.onRemoved(...end)) : undefined
  const watch = values.watch && !values.message_rate ? new WatchScreen(output) : undefined
  const outputs = recording === undefined || recording === output ? [output] : [output, recording]
  for (const each of outputs) each.onCaughtUp = () => owner.onProgress()
  watch?.open(values.host)
  return {
    output,
    printer,
    expectations,
    removal,
    changes: values.changes ? new TopicChanges() : undefined,
    recording,
    commands,
    summary: values.summary === undefined ? undefined : new TopicSummary(now()),
    watch,
    now,
    random: Math.random,
    get isBehind() {
      return output.isBehind || recording?.isBehind === true || commands?.isBusy === true
    },
    get isIdle() {
      return removal?.isIdle !== false && commands?.isIdle !== false
    },
    close: () => new Promise((resolve) => (recording === undefined ? resolve() : recording.whenWritten(resolve))),
  }
}

async function styleOf(isTerminal: boolean, streams: Streams, quiet: boolean): Promise<PrintStyle> {
  if (!isColoured(isTerminal, streams.env, quiet)) return { isTerminal, colours: undefined }
  const { MessageColours } = await import('./message-colours.js')
  return { isTerminal, colours: new MessageColours() }
}

async function programs(
  program: string,
  args: readonly string[],
  jobs: number,
  now: () => number,
  owner: CommandOwner,
): Promise<MessageCommands> {
  const { MessageCommands } = await import('./message-commands.js')
  return new MessageCommands({ program, args, jobs, now }, owner)
}

/** `-` is standard output. */
function recordingOf(file: string | undefined, output: Output, owner: PartsOwner): Output | undefined {
  if (file === undefined || file === '-') return file === undefined ? undefined : output
  const fail = (error: unknown) => `--record ${file} cannot be written: ${systemText(error)}`
  try {
    return openRecording(file, (error) => owner.onRecordingLost(fail(error)))
  } catch (error) {
    throw new UsageError(fail(error))
  }
}
