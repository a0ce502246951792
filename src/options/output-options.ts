// TABLE of the flags that say which messages are printed, and how: those that tsmq-sub has, and tsmq-pub for the response that it waits
// for.
import type { Flag } from './option.js'

export const outputOptions = {
  verbose: {
    name: 'verbose',
    flags: ['-v', '--verbose'],
    kind: 'flag',
    help: 'Print topic and payload.',
  },
  format: {
    name: 'format',
    flags: ['-F'],
    kind: 'text',
    args: ['FORMAT'],
    help: 'Output format: text with % codes.',
  },
  no_newline: {
    name: 'no_newline',
    flags: ['-N'],
    kind: 'flag',
    help: 'No newline behind each message.',
  },
  skip_retained: {
    name: 'skip_retained',
    flags: ['-R'],
    kind: 'flag',
    help: 'Do not print retained messages.',
  },
  retain_as_published: {
    name: 'retain_as_published',
    flags: ['--retain-as-published'],
    kind: 'flag',
    help: 'Show the retain flag as it was published (MQTT 5.0).',
  },
  retain_handling: {
    name: 'retain_handling',
    flags: ['--retain-handling'],
    kind: 'word',
    args: ['always|new|never'],
    words: ['always', 'new', 'never'],
    default: 'always',
    help: 'Which retained messages to ask for (MQTT 5.0): always, new (for new subscriptions) or never.',
  },
} as const satisfies Readonly<Record<string, Flag>>
