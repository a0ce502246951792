// What --acl-check and --acl-test print, and with which status they end. The answers come from acl-questions.ts.

import { AccessFileError } from '../access/access-file-error.js'
import type { Config } from '../options/config.js'
import type { TsmqValues } from '../options/tsmq-options.js'
import { type AclAnswer, AclOracle, parseQuestion, QuestionError, readQuestions } from './acl-questions.js'
import { EXIT_STATUS } from './exit.js'

/** Where words go: answers to `print`, everything else to `complain`. */
interface Voices {
  print(line: string): void
  complain(text: string): void
}

/** Answers the question of `--acl-check`, the table of `--acl-test`, or says why not. Returns the exit status. */
export function askAcl(config: Config, values: TsmqValues, voices: Voices): number {
  const { acl_check: words, acl_test: file, listener } = values
  try {
    const oracle = () => new AclOracle(config, listener)
    return words === undefined ? test(file ?? '', oracle, voices) : check(words, oracle, voices)
  } catch (error) {
    if (!(error instanceof QuestionError || error instanceof AccessFileError)) throw error
    voices.complain(error.message)
    const isUnopenable = error instanceof AccessFileError && error.problems.length === 0
    return isUnopenable ? EXIT_STATUS.unopenable : EXIT_STATUS.invalid
  }
}

function check(words: string, oracle: () => AclOracle, { print, complain }: Voices): number {
  const question = parseQuestion(words)
  const asked = oracle()
  const answer = asked.answer(question)
  print(answerText(answer))
  for (const note of asked.notes(question)) complain(`note: ${note}`)
  return answer.allowed ? EXIT_STATUS.ok : EXIT_STATUS.acl_denied
}

function test(file: string, oracle: () => AclOracle, { print, complain }: Voices): number {
  const rows = readQuestions(file)
  const asked = oracle()
  const failed = rows.flatMap(({ line, expected, question }) => {
    const answer = asked.answer(question)
    return answer.allowed === (expected === 'allow')
      ? []
      : [`${file}:${line}: expected ${expected}, got ${answerText(answer)}`]
  })
  for (const line of failed) print(line)
  const notes = new Set(rows.flatMap(({ question }) => asked.notes(question)))
  for (const note of notes) complain(`note: ${note}`)
  complain(`${file}: ${rows.length - failed.length} of ${rows.length} answers are as expected`)
  return failed.length === 0 ? EXIT_STATUS.ok : EXIT_STATUS.unexpected
}

function answerText({ allowed, where, why }: AclAnswer): string {
  return `${allowed ? 'allow' : 'deny'}  ${where}  ${why}`
}
