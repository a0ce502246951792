// A bridge as the configuration file describes it: its values with their defaults, and what is wrong with them. Which filters its
// topics make, and the names it goes by, is the business of the broker's bridge.
import { type BridgeValues, bridgeOptions } from './bridge-options.js'
import { checkBridge } from './bridge-rules.js'
import type { Position } from './conf-lines.js'
import type { BridgeAddress } from './option.js'
import { valuesOf } from './option.js'
import type { Fault } from './together.js'

export interface BridgeConfig extends BridgeValues {
  readonly name: string
  /** At least one. */
  readonly address: readonly BridgeAddress[]
  /** Where it was opened. */
  readonly where: Position
}

/** A bridge as the lines have described it. */
export interface BridgeDraft {
  readonly name: string
  readonly given: ReadonlyMap<string, unknown>
  readonly positions: ReadonlyMap<string, Position>
  readonly where: Position
}

export function bridgeConfig({ name, given, where }: BridgeDraft): BridgeConfig {
  const values = valuesOf(bridgeOptions, given)
  return { ...values, address: values.address ?? [], name, where }
}

/** What is wrong with the directives of a bridge, and where each stands. */
export function bridgeFaults({ given, positions, where }: BridgeDraft): readonly (Fault & { readonly at: Position })[] {
  // A line that is wrong has been told of already.
  const isWrong = (name: string) => positions.has(name) && !given.has(name)
  const faults = checkBridge(given).filter(({ name }) => !isWrong(name))
  return faults.map((fault) => ({ ...fault, at: positions.get(fault.name) ?? where }))
}
