import { useId, useState, type SyntheticEvent } from 'react';

import { identityFromToken, TokenProblem, type Identity } from './identity';
import { AlertIcon } from './icons';

interface Props {
  /** Why the reader is here again, such as a refused token. */
  readonly reason: string | null;
  readonly onIdentity: (identity: Identity) => void;
}

/** Asks for a token. It never leaves this tab except as the `Authorization` of a request. */
export function SignIn({ reason, onIdentity }: Props) {
  const id = useId();
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(reason);

  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    try {
      onIdentity(identityFromToken(token, Date.now()));
    } catch (error) {
      if (!(error instanceof TokenProblem)) throw error;
      setProblem(error.message);
    }
  };

  return (
    <main className="sign-in" id="main">
      <form className="sign-in__panel card" onSubmit={submit} noValidate aria-labelledby={`${id}-title`}>
        <h1 id={`${id}-title`}>Sign in</h1>
        <p className="muted">
          Paste the access token your CareerLens team gave you. It stays in this tab and is forgotten when you
          close it.
        </p>
        <div className="field">
          <label className="field__label" htmlFor={`${id}-token`}>
            Access token
          </label>
          <textarea
            id={`${id}-token`}
            className="input sign-in__token"
            rows={4}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            value={token}
            aria-invalid={problem !== null}
            aria-describedby={problem === null ? undefined : `${id}-problem`}
            onChange={(event) => {
              setToken(event.target.value);
              setProblem(null);
            }}
          />
          {problem === null ? null : (
            <p id={`${id}-problem`} className="field__error" role="alert">
              <AlertIcon size={16} /> {problem}
            </p>
          )}
        </div>
        <button type="submit" className="button button--primary">
          Sign in
        </button>
        <p className="small muted">
          Running your own server? Make one with <code>careerlens token --user you</code>.
        </p>
      </form>
    </main>
  );
}
