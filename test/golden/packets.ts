// TABLE of golden packets: every type in every version and from each side, every property in every carrier, every short form.
// It drives decode, encode, split at every byte, cut short, and seeds the fuzzing. A row's name carries the rows of the rule
// tables (E…, F…) and the statements of the standard that it shows.

import { props } from './bytes.js'
import { connectionPackets } from './connection-packets.js'
import type { GoldenPacket } from './golden-packet.js'
import {
  allowed,
  carriers,
  companions,
  meaningOf,
  packetWith,
  propertyFacts,
  sendersOfProperty,
} from './property-facts.js'
import { publishPackets } from './publish-packets.js'
import { subscriptionPackets } from './subscription-packets.js'

const propertyPackets: readonly GoldenPacket[] = carriers.flatMap((carrier) =>
  propertyFacts
    .filter((fact) => allowed[carrier].includes(fact.id))
    .flatMap((fact) =>
      sendersOfProperty(carrier, fact.id).map((sender) => {
        const method = companions(carrier, fact.id)
        const properties = method.length > 0 ? { authenticationMethod: 'm', ...fact.properties } : fact.properties
        return {
          name: `${carrier} from ${sender} with ${fact.name}`,
          version: 5 as const,
          sender,
          bytes: packetWith(carrier, props(method, fact.bytes)),
          packet: meaningOf(carrier, properties),
        }
      }),
    ),
)

export const goldenPackets: readonly GoldenPacket[] = [
  ...connectionPackets,
  ...publishPackets,
  ...subscriptionPackets,
  ...propertyPackets,
]
