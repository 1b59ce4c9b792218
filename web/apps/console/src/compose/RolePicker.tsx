import { useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';

import { AlertIcon, ChevronIcon } from '../shell/icons';

interface Props {
  readonly value: string;
  readonly roles: readonly string[];
  readonly error: string | undefined;
  readonly onChange: (role: string) => void;
}

/** A free text field that offers the roles we hold market data for, as an editable ARIA combobox. */
export function RolePicker({ value, roles, error, onChange }: Props) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const [filtering, setFiltering] = useState(false);

  const options = useMemo(() => {
    const wanted = value.trim().toLowerCase();
    if (!filtering || wanted === '') return roles;
    return roles.filter((role) => role.toLowerCase().includes(wanted));
  }, [roles, value, filtering]);
  // A list that only repeats what stands in the field has nothing to offer.
  const isChosen = options.length === 1 && options[0] === value;
  const shown = open && options.length > 0 && !isChosen;

  const close = () => {
    setOpen(false);
    setActive(-1);
  };
  const show = (at: number) => {
    setOpen(true);
    setActive(at);
  };
  const choose = (role: string) => {
    onChange(role);
    setFiltering(false);
    close();
    input.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (options.length === 0) return;
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (!shown) {
        setFiltering(false);
        const current = roles.indexOf(value);
        show(current >= 0 ? current : step === 1 ? 0 : roles.length - 1);
      } else {
        setActive((active + step + options.length) % options.length);
      }
    } else if (event.key === 'Enter' && shown && active >= 0) {
      event.preventDefault();
      const role = options[active];
      if (role !== undefined) choose(role);
    } else if (event.key === 'Escape' && shown) {
      event.preventDefault();
      close();
    }
  };

  const optionId = (index: number) => `${id}-option-${index}`;

  return (
    <div className="field">
      <label className="field__label" htmlFor={`${id}-input`}>
        Target role
      </label>
      <div className="role-picker">
        <input
          ref={input}
          id={`${id}-input`}
          className="input role-picker__input"
          type="text"
          role="combobox"
          name="targetRole"
          autoComplete="off"
          spellCheck={false}
          maxLength={120}
          placeholder="For example, Data Analyst"
          value={value}
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={shown && active >= 0 ? optionId(active) : undefined}
          aria-invalid={error !== undefined}
          aria-describedby={error === undefined ? `${id}-hint` : `${id}-error`}
          onChange={(event) => {
            onChange(event.target.value);
            setFiltering(true);
            show(-1);
          }}
          onKeyDown={onKeyDown}
          onBlur={close}
        />
        <button
          type="button"
          className="role-picker__toggle"
          tabIndex={-1}
          aria-label={shown ? 'Hide the roles' : 'Show the roles'}
          // Pressing the button must not take the focus from the field, whose blur closes the list.
          onMouseDown={(event) => {
            event.preventDefault();
          }}
          onClick={() => {
            input.current?.focus();
            if (shown) close();
            else {
              setFiltering(false);
              show(-1);
            }
          }}
        >
          <ChevronIcon />
        </button>
        <ul id={`${id}-list`} className="role-picker__list" role="listbox" aria-label="Roles" hidden={!shown}>
          {options.map((role, index) => (
            <li
              key={role}
              id={optionId(index)}
              role="option"
              aria-selected={index === active}
              className="role-picker__option"
              ref={(element) => {
                if (index === active) element?.scrollIntoView({ block: 'nearest' });
              }}
              onMouseDown={(event) => {
                event.preventDefault();
              }}
              onMouseMove={() => {
                if (active !== index) setActive(index);
              }}
              onClick={() => {
                choose(role);
              }}
            >
              {role}
            </li>
          ))}
        </ul>
      </div>
      {error === undefined ? (
        <p id={`${id}-hint`} className="field__hint">
          Pick one we hold market data for, or write your own.
        </p>
      ) : (
        <p id={`${id}-error`} className="field__error">
          <AlertIcon size={16} /> {error}
        </p>
      )}
    </div>
  );
}
