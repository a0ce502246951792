// TABLE: the flags of the broker. Everything else is set in the configuration file.
import type { Flag, ValuesOf } from './option.js'

export const tsmqOptions = [
  {
    name: 'config_file',
    flags: ['-c', '--config-file'],
    kind: 'file',
    args: ['FILE'],
    repeatable: true,
    help: 'Read this mosquitto.conf.',
  },
  {
    name: 'port',
    flags: ['-p', '--port'],
    kind: 'decimal',
    args: ['PORT'],
    min: 0,
    max: 65_535,
    repeatable: true,
    most: 10,
    help: 'Listen on this port of the loopback addresses, unless the file opens a listener; 0 for any free one.',
  },
  {
    name: 'verbose',
    flags: ['-v', '--verbose'],
    kind: 'flag',
    help: 'Log everything.',
  },
  {
    name: 'quiet',
    flags: ['-q', '--quiet'],
    kind: 'flag',
    help: 'Log nothing; beats -v.',
  },
  {
    name: 'test_config',
    flags: ['--test-config'],
    kind: 'flag',
    needs: ['config_file'],
    help: 'Check the file and end.',
  },
  {
    name: 'daemon',
    flags: ['-d', '--daemon'],
    kind: 'flag',
    help: 'Go to the background once the broker is running.',
  },
  {
    name: 'tls_keylog',
    flags: ['--tls-keylog'],
    kind: 'file',
    args: ['FILE'],
    later: true,
    help: 'Append the keys of TLS sessions to this file, for Wireshark.',
  },
  {
    name: 'help',
    flags: ['-h', '--help'],
    kind: 'flag',
    ends: true,
    help: 'Show this help.',
  },
  {
    name: 'version',
    flags: ['--version'],
    kind: 'flag',
    ends: true,
    help: 'Show the version.',
  },
] as const satisfies readonly Flag[]

/** The values of the flags of tsmq. */
export type TsmqValues = ValuesOf<typeof tsmqOptions>
