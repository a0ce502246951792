// Whether a stream is coloured: on a terminal, unless the environment or --quiet says otherwise.

type Environment = Readonly<Record<string, string | undefined>>

/** FORCE_COLOR decides if it is set (`0` and `false` for no colour), then NO_COLOR and TERM=dumb, then whether it is a terminal. */
export function isColoured(isTerminal: boolean, env: Environment, quiet = false): boolean {
  const forced = env.FORCE_COLOR
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return isTerminal && !quiet && env.TERM !== 'dumb' && (env.NO_COLOR ?? '') === ''
}
