import { useEffect, useState } from 'react';

import type { Identity } from '../shell/identity';
import { readRoles } from '../shell/server';

/**
 * The roles to suggest. Without an answer the field takes free text all the same, so a failure here
 * is nobody's concern.
 */
export function useRoles(identity: Identity, jobType: string): readonly string[] {
  const [roles, setRoles] = useState<readonly string[]>([]);
  useEffect(() => {
    const flight = new AbortController();
    readRoles(identity, jobType, flight.signal).then(setRoles, () => {
      setRoles([]);
    });
    return () => {
      flight.abort();
    };
  }, [identity, jobType]);
  return roles;
}
