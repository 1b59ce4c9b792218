import { useId, useRef, type DragEvent, type KeyboardEvent } from 'react';

import { AlertIcon, CloseIcon, FileIcon, UploadIcon } from '../shell/icons';
import { ACCEPTED, describeSize, type ResumeSource } from './draft';
import { useWindowDrop } from './useWindowDrop';

interface Props {
  readonly source: ResumeSource;
  readonly maxUploadBytes: number;
  readonly error: string | undefined;
  readonly onChange: (source: ResumeSource) => void;
}

type Kind = ResumeSource['kind'];
const TABS: readonly { kind: Kind; label: string }[] = [
  { kind: 'file', label: 'Upload a file' },
  { kind: 'text', label: 'Paste text' },
];

/** The résumé itself: a file dropped anywhere on the page or chosen, or pasted text. */
export function ResumePicker({ source, maxUploadBytes, error, onChange }: Props) {
  const id = useId();
  const tabs = useRef(new Map<Kind, HTMLButtonElement>());
  const dragging = useWindowDrop((file) => {
    onChange({ ...source, kind: 'file', file });
  });

  const select = (kind: Kind) => {
    if (kind === source.kind) return;
    onChange({ ...source, kind });
  };
  const onTabKey = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const other: Kind = source.kind === 'file' ? 'text' : 'file';
    select(other);
    tabs.current.get(other)?.focus();
  };

  return (
    <div className="field">
      <div className="resume-picker__head">
        <span className="field__label" id={`${id}-label`}>
          Your résumé
        </span>
        <div className="segmented" role="tablist" aria-label="How to hand it in">
          {TABS.map(({ kind, label }) => (
            <button
              key={kind}
              ref={(element) => {
                if (element !== null) tabs.current.set(kind, element);
              }}
              type="button"
              role="tab"
              id={`${id}-tab-${kind}`}
              aria-selected={kind === source.kind}
              aria-controls={`${id}-panel`}
              tabIndex={kind === source.kind ? 0 : -1}
              className="segmented__option"
              onClick={() => {
                select(kind);
              }}
              onKeyDown={onTabKey}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-tab-${source.kind}`}>
        {source.kind === 'text' ? (
          <PasteField
            text={source.text}
            invalid={error !== undefined}
            describedBy={error === undefined ? undefined : `${id}-error`}
            labelledBy={`${id}-label`}
            onChange={(text) => {
              onChange({ ...source, text });
            }}
          />
        ) : (
          <FileField
            file={source.file}
            maxUploadBytes={maxUploadBytes}
            dragging={dragging}
            invalid={error !== undefined}
            describedBy={error === undefined ? undefined : `${id}-error`}
            onChange={(file) => {
              onChange({ ...source, file });
            }}
          />
        )}
      </div>
      {error === undefined ? null : (
        <p id={`${id}-error`} className="field__error">
          <AlertIcon size={16} /> {error}
        </p>
      )}
      {dragging && source.kind === 'text' ? (
        <p className="field__hint">Drop the file to use it in place of the text.</p>
      ) : null}
    </div>
  );
}

function PasteField(props: {
  text: string;
  invalid: boolean;
  describedBy: string | undefined;
  labelledBy: string;
  onChange: (text: string) => void;
}) {
  const words = props.text.trim() === '' ? 0 : props.text.trim().split(/\s+/).length;
  return (
    <div className="paste">
      <textarea
        className="input paste__area"
        name="resumeText"
        rows={9}
        spellCheck={false}
        placeholder="Paste the whole text here. Headings and line breaks help."
        value={props.text}
        aria-labelledby={props.labelledBy}
        aria-invalid={props.invalid}
        aria-describedby={props.describedBy}
        onChange={(event) => {
          props.onChange(event.target.value);
        }}
      />
      <p className="paste__count small muted numerals">
        {words === 1 ? '1 word' : `${words.toLocaleString('en')} words`}
      </p>
    </div>
  );
}

function FileField(props: {
  file: File | null;
  maxUploadBytes: number;
  dragging: boolean;
  invalid: boolean;
  describedBy: string | undefined;
  onChange: (file: File | null) => void;
}) {
  const { file } = props;
  const input = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
  };
  const className = [
    'drop',
    props.dragging ? 'drop--over' : '',
    props.invalid ? 'drop--invalid' : '',
    file === null ? '' : 'drop--filled',
  ].join(' ');

  return (
    <div className={className} onDragOver={drop}>
      <input
        ref={input}
        className="drop__input"
        type="file"
        name="resume"
        accept={ACCEPTED}
        aria-label={file === null ? 'Choose a résumé file' : 'Choose another résumé file'}
        aria-invalid={props.invalid}
        aria-describedby={props.describedBy}
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          // Choosing the same file again must be heard as well, so the field is emptied.
          event.target.value = '';
          if (chosen !== undefined) props.onChange(chosen);
        }}
      />
      {file === null ? (
        <div className="drop__invite">
          <span className="drop__icon">
            <UploadIcon size={26} />
          </span>
          <p>
            <strong>Drop your résumé here</strong> or <span className="drop__link">choose a file</span>
          </p>
          <p className="small muted">PDF, DOCX or plain text, up to {describeSize(props.maxUploadBytes)}</p>
        </div>
      ) : (
        <div className="drop__file">
          <span className="drop__icon">
            <FileIcon size={26} />
          </span>
          <span className="drop__name">
            <strong>{file.name}</strong>
            <span className="small muted numerals">{describeSize(file.size)}</span>
          </span>
          <button
            type="button"
            className="button button--quiet button--icon drop__remove"
            aria-label={`Remove ${file.name}`}
            onClick={() => {
              props.onChange(null);
              input.current?.focus();
            }}
          >
            <CloseIcon />
          </button>
        </div>
      )}
    </div>
  );
}
