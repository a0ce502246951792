// Entry of `npm run bench`: the first word names a suite, the others are its own. Without a name it is the broker suite.
type Suite = (words: readonly string[]) => Promise<void>

const SUITES: Readonly<Record<string, () => Promise<Suite>>> = {
  brokers: async () => (await import('./broker-suite.js')).runBrokerSuite,
  cli: async () => (await import('./cli-suite.js')).runCliSuite,
}

const [first = '', ...rest] = process.argv.slice(2)
const named = SUITES[first]
try {
  if (named) await (await named())(rest)
  else if (first === '' || first.startsWith('-'))
    await (await import('./broker-suite.js')).runBrokerSuite(process.argv.slice(2))
  else throw new Error(`no suite ${first}: there is ${Object.keys(SUITES).join(', ')}`)
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
