// TABLE: the flags that only tsmq-sub has. What it subscribes to, what it prints and when it ends. Those that it shares with the other client are in
// connection-options.ts.
import { connectionOptions } from './connection-options.js'
import type { Flag, ValuesOf } from './option.js'

const ownOptions = [
  {
    name: 'topic',
    flags: ['-t', '--topic'],
    kind: 'text',
    args: ['FILTER'],
    min: 1,
    max: 65_535,
    repeatable: true,
    help: 'Topic filter to subscribe to.',
  },
  {
    name: 'filter_out',
    flags: ['-T', '--filter-out'],
    kind: 'text',
    args: ['FILTER'],
    min: 1,
    max: 65_535,
    repeatable: true,
    help: 'Ignore messages whose topic matches.',
  },
  {
    name: 'unsubscribe',
    flags: ['-U', '--unsubscribe'],
    kind: 'text',
    args: ['FILTER'],
    min: 1,
    max: 65_535,
    repeatable: true,
    help: 'Unsubscribe from this filter.',
  },
  {
    name: 'verbose',
    flags: ['-v', '--verbose'],
    kind: 'flag',
    help: 'Print topic and payload.',
  },
  {
    name: 'format',
    flags: ['-F'],
    kind: 'text',
    args: ['FORMAT'],
    help: 'Output format: text with % codes.',
  },
  {
    name: 'no_newline',
    flags: ['-N'],
    kind: 'flag',
    help: 'No newline behind each message.',
  },
  {
    name: 'pretty',
    flags: ['--pretty'],
    kind: 'flag',
    help: 'Indent the JSON of %j and %J.',
  },
  {
    name: 'count',
    flags: ['-C'],
    kind: 'decimal',
    args: ['COUNT'],
    min: 1,
    help: 'End after this many messages.',
  },
  {
    name: 'timeout',
    flags: ['-W'],
    kind: 'decimal',
    args: ['SECONDS'],
    min: 1,
    help: 'End after this many seconds, with status 27.',
  },
  {
    name: 'exit_after_subscribe',
    flags: ['-E'],
    kind: 'flag',
    help: 'End as soon as the broker has confirmed the subscriptions.',
  },
  {
    name: 'skip_retained',
    flags: ['-R'],
    kind: 'flag',
    help: 'Do not print retained messages.',
  },
  {
    name: 'retained_only',
    flags: ['--retained-only'],
    kind: 'flag',
    excludes: ['skip_retained'],
    later: true,
    help: 'Print retained messages only and end with the first that is not.',
  },
  {
    name: 'remove_retained',
    flags: ['--remove-retained'],
    kind: 'flag',
    later: true,
    help: 'Remove the retained messages received from the broker.',
  },
  {
    name: 'retain_as_published',
    flags: ['--retain-as-published'],
    kind: 'flag',
    later: true,
    help: 'Show the retain flag as it was published (MQTT 5.0).',
  },
  {
    name: 'retain_handling',
    flags: ['--retain-handling'],
    kind: 'word',
    args: ['always|new|never'],
    words: ['always', 'new', 'never'],
    default: 'always',
    later: true,
    help: 'Which retained messages to ask for (MQTT 5.0): always, new (for new subscriptions) or never.',
  },
  {
    name: 'random_filter',
    flags: ['--random-filter'],
    kind: 'float',
    args: ['PERCENT'],
    min: 0.1,
    max: 100,
    later: true,
    help: 'Print this percentage of the messages, chosen at random.',
  },
  {
    name: 'message_rate',
    flags: ['--message-rate'],
    kind: 'flag',
    later: true,
    help: 'Print how many messages arrive each second.',
  },
  {
    name: 'watch',
    flags: ['-w', '--watch'],
    kind: 'flag',
    later: true,
    help: 'Keep each topic on a line of its own on the screen.',
  },
] as const satisfies readonly Flag[]

/** Every flag of tsmq-sub. */
export const subOptions = [...ownOptions, ...connectionOptions] as const satisfies readonly Flag[]

/** The values of the flags of tsmq-sub. */
export type SubValues = ValuesOf<typeof subOptions>
