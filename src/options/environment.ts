// Variables of the environment in values of the configuration file, as `--env` allows them: `${NAME}` stands for the value of
// NAME, `$${` for `${` itself. When this is asked for is decided by conf-file.ts.
import { type Parsed, problem, quoted, value } from './text.js'

/** `$${`, or `${` with what follows it up to the next brace, if there is one. */
const VARIABLE = /\$\$\{|\$\{([^{}]*)(\}?)/g
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** `text` with every variable replaced once: what a variable holds is not looked at again. The first one that cannot be is the problem. */
export function substituteVariables(text: string, env: Readonly<Record<string, string | undefined>>): Parsed<string> {
  let fault: string | undefined
  const substituted = text.replace(VARIABLE, (written, name?: string, brace?: string) => {
    if (name === undefined) return '${'
    // What every object has is no variable.
    const variable = Object.hasOwn(env, name) ? env[name] : undefined
    if (brace === '' || !NAME.test(name)) fault ??= `has ${quoted(written)} in it, which is not \${NAME}`
    else if (variable === undefined) fault ??= `needs the environment variable ${name}, which is not set`
    return variable ?? ''
  })
  return fault === undefined ? value(substituted) : problem(fault)
}

/** The first `${NAME}` in `text`. */
export function firstVariable(text: string): string | undefined {
  return /\$\{[A-Za-z_][A-Za-z0-9_]*\}/.exec(text)?.[0]
}
