// TABLE: the flags that only tsmq-pub has. `--rr` makes it ask and print the answer. Those that it shares with the other client are in
// connection-options.ts.
import { connectionOptions } from './connection-options.js'
import type { Flag, ValuesOf } from './option.js'

const ownOptions = [
  {
    name: 'topic',
    flags: ['-t', '--topic'],
    kind: 'text',
    args: ['TOPIC'],
    min: 1,
    max: 65_535,
    help: 'Topic to publish to.',
  },
  {
    name: 'file',
    flags: ['-f', '--file'],
    kind: 'file',
    args: ['FILE'],
    group: 'message',
    help: 'Send the contents of this file.',
  },
  {
    name: 'stdin_line',
    flags: ['-l', '--stdin-line'],
    kind: 'flag',
    group: 'message',
    help: 'Send each line of standard input as a message.',
  },
  {
    name: 'message',
    flags: ['-m', '--message'],
    kind: 'text',
    args: ['MESSAGE'],
    max: 268_435_455,
    group: 'message',
    help: 'Send this text.',
  },
  {
    name: 'null_message',
    flags: ['-n', '--null-message'],
    kind: 'flag',
    group: 'message',
    help: 'Send an empty message.',
  },
  {
    name: 'stdin_file',
    flags: ['-s', '--stdin-file'],
    kind: 'flag',
    group: 'message',
    help: 'Send all of standard input as one message.',
  },
  {
    name: 'retain',
    flags: ['-r', '--retain'],
    kind: 'flag',
    help: 'Let the broker keep the message for those who subscribe later.',
  },
  {
    name: 'repeat',
    flags: ['--repeat'],
    kind: 'decimal',
    args: ['COUNT'],
    min: 1,
    default: 1,
    help: 'Send the message this often.',
  },
  {
    name: 'repeat_delay',
    flags: ['--repeat-delay'],
    kind: 'float',
    args: ['SECONDS'],
    min: 0,
    default: 0,
    help: 'Seconds between the delivery of a message and the next one.',
  },
  {
    name: 'rr',
    flags: ['--rr'],
    kind: 'flag',
    later: true,
    help: 'Send a request and print the response to it.',
  },
  {
    name: 'response_topic',
    flags: ['-e'],
    kind: 'text',
    args: ['TOPIC'],
    min: 1,
    max: 65_535,
    later: true,
    help: 'With --rr: topic of the response.',
  },
  {
    name: 'format',
    flags: ['-F'],
    kind: 'text',
    args: ['FORMAT'],
    later: true,
    help: 'With --rr: output format.',
  },
  {
    name: 'no_newline',
    flags: ['-N'],
    kind: 'flag',
    later: true,
    help: 'With --rr: no newline behind the response.',
  },
  {
    name: 'skip_retained',
    flags: ['-R'],
    kind: 'flag',
    later: true,
    help: 'With --rr: ignore retained responses.',
  },
  {
    name: 'verbose',
    flags: ['-v', '--verbose'],
    kind: 'flag',
    later: true,
    help: 'With --rr: print topic and payload.',
  },
  {
    name: 'timeout',
    flags: ['-W'],
    kind: 'decimal',
    args: ['SECONDS'],
    min: 1,
    later: true,
    help: 'With --rr: give up after this many seconds.',
  },
  {
    name: 'latency',
    flags: ['--latency'],
    kind: 'flag',
    later: true,
    help: 'With --rr: print how long the response took.',
  },
  {
    name: 'pretty',
    flags: ['--pretty'],
    kind: 'flag',
    later: true,
    help: 'With --rr: indent JSON.',
  },
  {
    name: 'retain_as_published',
    flags: ['--retain-as-published'],
    kind: 'flag',
    later: true,
    help: 'With --rr: show the retain flag as it was published.',
  },
  {
    name: 'retain_handling',
    flags: ['--retain-handling'],
    kind: 'word',
    args: ['always|new|never'],
    words: ['always', 'new', 'never'],
    later: true,
    help: 'With --rr: which retained messages to ask for.',
  },
] as const satisfies readonly Flag[]

/** Every flag of tsmq-pub. */
export const pubOptions = [...ownOptions, ...connectionOptions] as const satisfies readonly Flag[]

/** The values of the flags of tsmq-pub. */
export type PubValues = ValuesOf<typeof pubOptions>
