// TABLE of the flags that all four commands have.

import type { Flag } from './option.js'

/** A completion script, and the version. */
export const commonOptions = [
  {
    name: 'completion',
    flags: ['--completion'],
    kind: 'word',
    args: ['bash|zsh|fish'],
    words: ['bash', 'zsh', 'fish'],
    ends: true,
    help: 'Print what completes this command in a shell, for its source command.',
  },
  {
    name: 'version',
    flags: ['--version'],
    kind: 'flag',
    ends: true,
    help: 'Show the version.',
  },
] as const satisfies readonly Flag[]

/** Where -h is something else. */
export const longHelpOption = {
  name: 'help',
  flags: ['--help'],
  kind: 'flag',
  ends: true,
  help: 'Show this help.',
} as const satisfies Flag
