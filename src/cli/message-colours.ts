// The colours in which tsmq-sub shows messages to a person: topics by level, JSON by what each part is. Text in and out, escaped
// already; chalk is loaded only when this is.

import { Chalk, type ChalkInstance } from 'chalk'

const JSON_PART = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null)\b/g

export class MessageColours {
  /** Says that a message was retained. */
  readonly retained: string
  private readonly levels: readonly ChalkInstance[]
  private readonly chalk: ChalkInstance

  constructor() {
    const chalk = new Chalk({ level: 1 })
    this.chalk = chalk
    this.levels = [chalk.cyan, chalk.green, chalk.yellow, chalk.magenta, chalk.blue]
    this.retained = chalk.dim('[retained]')
  }

  /** Each level in the colour of its depth. */
  topic(topic: string): string {
    const { levels } = this
    const parts = topic.split('/').map((level, depth) => (levels[depth % levels.length] as ChalkInstance)(level))
    return parts.join(this.chalk.dim('/'))
  }

  /** JSON text with its keys, strings, numbers and words in colour. */
  json(text: string): string {
    const { chalk } = this
    return text.replace(JSON_PART, (whole, string?: string, colon?: string, number?: string) => {
      if (colon !== undefined) return chalk.blue(string) + colon
      if (string !== undefined) return chalk.green(whole)
      return number === undefined ? chalk.magenta(whole) : chalk.yellow(whole)
    })
  }
}
