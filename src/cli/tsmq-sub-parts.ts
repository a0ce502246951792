// The parts of a run of tsmq-sub, made from its flags: printer, recording, programs, tables. Those that were not asked for are not
// there, and what only they need is not loaded.

import type { ClientError } from '../client/client-error.js'
import type { CommandLine } from '../options/command-line.js'
import type { SubValues, subOptions } from '../options/sub-options.js'
import { isColoured } from './colour-choice.js'
import { Expectations } from './expectations.js'
import type { CommandOwner, MessageCommands } from './message-commands.js'
import type { FlowParts } from './message-flow.js'
import { MessagePrinter, type PrintStyle } from './message-printer.js'
import type { MessageRecording } from './message-record.js'
import { preciseClock } from './message-time.js'
import type { Output } from './output.js'
import { type Publisher, RetainedRemoval } from './retained-removal.js'
import type { SubscriptionReadiness } from './subscription-readiness.js'
import type { Streams, Terminal } from './terminal.js'
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

/** @throws UsageError for words and formats that mean nothing and files that cannot be used. */
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
  const printer = new MessagePrinter(values, output, (problem) => terminal.error(problem), style)
  const expectations = new Expectations(values)
  const { record, exec } = values
  const commands = exec === undefined ? undefined : await programs(exec, operands, values.exec_jobs, now, owner)
  const recording = record === undefined ? undefined : await recordingOf(record, output, now, owner)
  const removes = values.remove_retained && !values.dry_run
  const removal = removes ? new RetainedRemoval(owner.client, (...end) => owner.onRemoved(...end)) : undefined
  const watch = values.watch && !values.message_rate ? new WatchScreen(output) : undefined
  const changes = values.changes ? new (await import('./topic-changes.js')).TopicChanges() : undefined
  const summary =
    values.summary === undefined ? undefined : new (await import('./topic-summary.js')).TopicSummary(now())
  output.onCaughtUp = () => owner.onProgress()
  watch?.open(values.host)
  return {
    output,
    printer,
    expectations,
    removal,
    changes,
    recording,
    commands,
    summary,
    watch,
    now,
    random: Math.random,
    get isBehind() {
      return output.isBehind || recording?.isBehind === true || commands?.isBusy === true
    },
    get isIdle() {
      return removal?.isIdle !== false && commands?.isIdle !== false
    },
    close: async () => recording?.written(),
  }
}

/** Undefined where nobody waits to be told. Throws UsageError. */
export async function openReadiness(values: SubValues): Promise<SubscriptionReadiness | undefined> {
  const { on_ready, ready_file, ready_fd } = values
  if (on_ready === undefined && ready_file === undefined && ready_fd === undefined) return undefined
  const { SubscriptionReadiness } = await import('./subscription-readiness.js')
  return new SubscriptionReadiness(values)
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
async function recordingOf(
  file: string,
  output: Output,
  now: () => number,
  owner: PartsOwner,
): Promise<MessageRecording> {
  const { MessageRecording, openRecordFile } = await import('./message-record.js')
  if (file === '-') return new MessageRecording(output, now)
  const target = openRecordFile(file, (problem) => owner.onRecordingLost(problem))
  target.onCaughtUp = () => owner.onProgress()
  return new MessageRecording(target, now)
}
