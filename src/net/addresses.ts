// The addresses that a listener binds: all of the machine, those of a name, or those of a network interface.

import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'

/** What was asked for; undefined where it does not matter. */
export interface AddressChoice {
  readonly host: string | undefined
  readonly family: 'ipv4' | 'ipv6' | undefined
  readonly interfaceName: string | undefined
}

export interface BindAddress {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  /** May be missing on a machine without that family. */
  readonly optional: boolean
}

/** @throws Error when there is none */
export async function addressesOf(choice: AddressChoice): Promise<readonly BindAddress[]> {
  const { host, family, interfaceName } = choice
  const found = interfaceName === undefined ? await ofHost(host, family) : await ofInterface(interfaceName, host)
  const wanted = found.filter((each) => family === undefined || each.family === family)
  const where = interfaceName === undefined ? (host ?? 'this machine') : `network interface ${interfaceName}`
  if (wanted.length === 0) throw new Error(`${where} has no ${family} address`)
  return wanted
}

async function ofHost(host: string | undefined, family: AddressChoice['family']): Promise<readonly BindAddress[]> {
  const optional = family === undefined
  if (host === undefined)
    return [
      { address: '0.0.0.0', family: 'ipv4', optional },
      { address: '::', family: 'ipv6', optional },
    ]
  const found = await lookup(host, { all: true })
  return found.map(({ address, family: number }) => ({
    address,
    family: number === 6 ? 'ipv6' : 'ipv4',
    optional: false,
  }))
}

async function ofInterface(name: string, host: string | undefined): Promise<readonly BindAddress[]> {
  const interfaces = networkInterfaces()
  const own = interfaces[name]
  if (own === undefined)
    throw new Error(`there is no network interface ${name} with an address, but ${Object.keys(interfaces).join(', ')}`)
  const addresses = own.map(({ address, family, scopeid }): BindAddress => {
    // An address that every interface may have says which one it means.
    const scope = scopeid ? `%${name}` : ''
    return { address: address + scope, family: family === 'IPv6' ? 'ipv6' : 'ipv4', optional: false }
  })
  if (host === undefined) return addresses
  const ofName = new Set((await ofHost(host, undefined)).map(({ address }) => address))
  const both = addresses.filter(({ address }) => ofName.has(address))
  if (both.length === 0) throw new Error(`network interface ${name} does not have the address ${host}`)
  return both
}
