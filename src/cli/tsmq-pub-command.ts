// The command tsmq-pub: reads what is wanted from the command line and starts the run that does it - publishing, a request, a probe -
// which ends with a status that tells how it went (spec: pub.md, rr.md, features.md C4, C7 and C8).

import { type CommandLine, UsageError } from '../options/command-line.js'
import { type PubValues, pubOptions } from '../options/pub-options.js'
import { bytesOfText } from '../options/text.js'
import type { Qos } from '../protocol/packets/publish.js'
import { inputOf, standardInput } from './byte-input.js'
import { finished, runClient } from './client-run.js'
import { type ClientSetup, checkTopic, setUpClient } from './client-setup.js'
import type { EchoCheck } from './echo-check.js'
import { type MessageDefaults, type MessageSource, RepeatSource } from './message-source.js'
import { payloadOfFile, payloadOfInput, type ReadProgress } from './payload-source.js'
import { type PublishPlan, PublishRun } from './publish-run.js'
import { amountText, isWorthWatching, SendProgress } from './send-progress.js'
import type { Streams, Terminal } from './terminal.js'

const help = {
  usage: [
    'tsmq-pub [-h HOST] [-p PORT] [-q QOS] [-r] -t TOPIC -m MESSAGE',
    'tsmq-pub [-h HOST] [-p PORT] [-q QOS] [-r] -t TOPIC {-f FILE | -l | -n | -s}',
    'tsmq-pub [-h HOST] [-p PORT] {--ndjson [FILE] | --replay FILE}',
    'tsmq-pub [-h HOST] [-p PORT] --probe [--round-trip -t TOPIC]',
    'tsmq-pub [-h HOST] [-p PORT] --rr -t TOPIC -e TOPIC {-f FILE | -m MESSAGE | -n | -s}',
  ],
  about: 'Publishes messages to an MQTT broker.',
  table: pubOptions,
}

/** ms between attempts to get the connection back while there are messages to come. */
const RECONNECT = 1000
const MODES = ['file', 'stdin_line', 'message', 'null_message', 'stdin_file', 'ndjson', 'replay']
const STREAMS = ['stdin_line', 'ndjson', 'replay']

type Line = CommandLine<typeof pubOptions>

/** Carries out one command line, without node and script; returns the exit status. */
export function pub(argv: readonly string[], streams: Streams): Promise<number> {
  return runClient('tsmq-pub', help, argv, streams, async (line, terminal) => {
    const { rr, probe } = line.values
    const prepare = probe ? probing : rr ? request : publishing
    const run = await prepare(line, streams, terminal)
    return finished(terminal, await run.start())
  })
}

async function publishing({ values, given }: Line, streams: Streams, terminal: Terminal): Promise<PublishRun> {
  const { topic } = values
  const mode = given.find((name) => MODES.includes(name))
  const namesTopics = values.topic_separator !== undefined || mode === 'ndjson' || mode === 'replay'
  if (mode === undefined || (topic === undefined && !namesTopics))
    throw new UsageError('a topic (-t) and a message (one of -f -l -m -n -s --ndjson --replay) must both be given')
  if (topic !== undefined) checkTopic('-t', topic)
  const isStream = STREAMS.includes(mode)
  if (isStream && (given.includes('repeat') || given.includes('repeat_delay'))) checkRepeat(mode, terminal)
  const checked = withChecks(values, given)
  const setup = await setUpClient({ values: checked, given }, isStream ? RECONNECT : undefined, { streams, terminal })
  const sending = new SendProgress()
  const plan: PublishPlan = {
    source: await sourceOf(values, streams, terminal, sending),
    defaults: defaultsOf(checked, setup),
    isStream,
    flowsOn: mode === 'stdin_line',
    requireSubscriber: values.require_subscriber,
    echoes: values.confirm === undefined ? undefined : await echoCheck(values.confirm),
  }
  const { options } = setup
  const target = { ...options.target, onSocket: sending.watch }
  return new PublishRun(plan, { ...setup, options: { ...options, target } }, terminal)
}

/** mosquitto_pub -l takes --repeat, and repeats nothing. */
function checkRepeat(mode: string, terminal: Terminal): void {
  if (mode === 'stdin_line') terminal.warning('--repeat and --repeat-delay have no effect with -l')
  else throw new UsageError(`--repeat and --repeat-delay cannot be used with --${mode}`)
}

function defaultsOf(values: PubValues, setup: ClientSetup): MessageDefaults {
  const { topic, retain } = values
  return { topic, qos: values.qos as Qos, retain, properties: setup.properties.publish }
}

/** What --require-subscriber needs to be told that nobody has subscribed, unless it is given otherwise. */
function withChecks(values: PubValues, given: readonly string[]): PubValues {
  if (!values.require_subscriber) return values
  const qos = given.includes('qos') ? values.qos : 1
  const protocol_version = values.protocol_version ?? 5
  if (qos === 0) throw new UsageError('--require-subscriber needs QoS 1 or 2: with QoS 0 the broker does not answer')
  if (protocol_version < 5) throw new UsageError('--require-subscriber needs MQTT 5.0: older versions do not tell')
  return { ...values, qos, protocol_version }
}

async function echoCheck(seconds: number): Promise<EchoCheck> {
  const { EchoCheck } = await import('./echo-check.js')
  return new EchoCheck(seconds * 1000)
}

async function sourceOf(
  values: PubValues,
  streams: Streams,
  terminal: Terminal,
  sending: SendProgress,
): Promise<MessageSource> {
  const { ndjson, replay, stdin_line, topic_separator } = values
  if (replay !== undefined) return replaySource(replay, values, streams)
  if (ndjson !== undefined || stdin_line) {
    const { jsonLines, LineSource, payloadLines, topicLines } = await import('./line-source.js')
    if (ndjson !== undefined) return new LineSource(inputOf(ndjson, streams), jsonLines())
    const take = topic_separator === undefined ? payloadLines() : topicLines(topic_separator)
    return new LineSource(standardInput(streams), take)
  }
  const payload = await payloadOf(values, streams, terminal)
  const { repeat: count, repeat_delay } = values
  const watched = isWorthWatching(payload.length) ? sending : undefined
  return new RepeatSource(payload, { count, delay: repeat_delay * 1000, sending: watched })
}

async function payloadOf(
  { file, stdin_file, message }: PubValues,
  streams: Streams,
  terminal: Terminal,
): Promise<Buffer> {
  if (file === undefined && !stdin_file) return bytesOfText(message ?? '')
  const progress: ReadProgress = { done: 0, total: undefined }
  const waitFor = (name: string) =>
    terminal.waitFor(() => `reading ${name}: ${amountText(progress.done, progress.total)}`)
  if (file !== undefined) {
    waitFor(file)
    return payloadOfFile(file, progress)
  }
  const input = standardInput(streams)
  if (!input.isTyped) waitFor(input.name)
  return payloadOfInput(input, progress)
}

async function replaySource(file: string, { speed, map }: PubValues, streams: Streams): Promise<MessageSource> {
  const factor = speed === 'max' ? Number.POSITIVE_INFINITY : Number(speed)
  if (!(factor > 0)) throw new UsageError(`--speed must be a number above 0, or max, not '${speed}'`)
  const maps = map.map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`--map must be OLD=NEW, not '${text}'`)
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  const { ReplaySource } = await import('./replay-source.js')
  return new ReplaySource(inputOf(file, streams), { speed: factor, maps })
}

async function request({ values, given }: Line, streams: Streams, terminal: Terminal) {
  const { topic, response_topic } = values
  const mode = given.find((name) => MODES.includes(name))
  if (topic === undefined || response_topic === undefined || mode === undefined)
    throw new UsageError(
      'with --rr a topic (-t), a response topic (-e) and a message (one of -f -m -n -s) must all be given',
    )
  checkTopic('-t', topic)
  checkTopic('-e', response_topic)
  const checked = withChecks({ ...values, protocol_version: values.protocol_version ?? 5 }, given)
  const setup = await setUpClient({ values: checked, given }, undefined, { streams, terminal })
  const { RequestRun } = await import('./request-run.js')
  const plan = {
    ...defaultsOf(checked, setup),
    topic,
    responseTopic: response_topic,
    payload: await payloadOf(values, streams, terminal),
  }
  return new RequestRun(plan, checked, setup, terminal)
}

async function probing({ values, given }: Line, streams: Streams, terminal: Terminal) {
  const { topic, round_trip, min_cert_days, protocol_version = 5 } = values
  if (round_trip && topic === undefined) throw new UsageError('--round-trip needs a topic: -t TOPIC')
  if (topic !== undefined) checkTopic('-t', topic)
  const setup = await setUpClient({ values: { ...values, protocol_version }, given }, undefined, { streams, terminal })
  const { layers = [] } = setup.options.target
  if (min_cert_days !== undefined && !layers.some(({ stage }) => stage === 'tls'))
    throw new UsageError('--min-cert-days needs TLS, for instance mqtts://')
  const { ProbeRun } = await import('./probe-run.js')
  return new ProbeRun(values, setup, terminal)
}
