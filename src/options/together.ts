// Whether the directives of one listener, or of one bridge, go together: the rules are tables elsewhere.

/** A directive that needs another. */
export interface Need {
  readonly name: string
  /** One of these has to be given too; a name may be followed by the one value that is meant. */
  readonly needs: readonly string[]
  /** The rule holds only where this is given. */
  readonly with?: string
  /** Without them it has no effect, and that does no harm. */
  readonly harmless?: true
}

/** Two directives of which only one may be given. A name may be followed by the one value that is meant. */
export interface Exclusion {
  readonly names: readonly [string, string]
  readonly reason: string
}

/** A directive that does not fit the others, and why. */
export interface Fault {
  readonly name: string
  readonly reason: string
  /** It has no effect, and that does no harm. */
  readonly isHarmless: boolean
}

/** What is wrong with directives, by name, taken together. `false` counts as not given. */
export function checkTogether(
  needs: readonly Need[],
  excludes: readonly Exclusion[],
  given: ReadonlyMap<string, unknown>,
): readonly Fault[] {
  const isGiven = (directive: string) => {
    const [name = '', value] = directive.split(' ')
    const has = given.get(name)
    return value === undefined ? (has ?? false) !== false : String(has) === value
  }
  const faults: Fault[] = []
  for (const { name, needs: names, with: other, harmless } of needs) {
    if (!isGiven(name) || names.some(isGiven) || (other !== undefined && !isGiven(other))) continue
    const missing = `${name} needs ${names.join(' or ')}`
    const reason = harmless ? `${missing} to have an effect` : missing
    faults.push({ name, reason, isHarmless: harmless === true })
  }
  for (const { names, reason } of excludes) {
    const [name, other] = names
    if (isGiven(name) && isGiven(other))
      faults.push({ name, reason: `${name} does not go with ${other}: ${reason}`, isHarmless: false })
  }
  return faults
}
