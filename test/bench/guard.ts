// What a broker in use has beside its listener: the log that is usual, users, and rules, of which the last one lets the generator's
// clients, who have no names, do what they do.
import type { ExtraSettings } from './brokers.js'

const RULES = 1000
const USERS = 10_000
/** No password has this hash. */
const HASH = '$2b$10$abcdefghijklmnopqrstuuW3BqHqDk1rQwS0m2T1pL1kXvQyG8y3e'

const numbered = (count: number, line: (number: number) => string) =>
  Array.from({ length: count }, (_, number) => `${line(number)}\n`).join('')

export const GUARD: ExtraSettings = {
  lines: [
    ...['error', 'warning', 'notice', 'information'].map((type) => `log_type ${type}`),
    'password_file {folder}/users',
    'acl_file {folder}/rules',
  ],
  files: {
    users: numbered(USERS, (number) => `user${number}:${HASH}`),
    rules: `${numbered(RULES - 1, (number) => `topic readwrite site/${number}/+/value`)}topic readwrite #\n`,
  },
}
