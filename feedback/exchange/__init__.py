"""What people said in the field's formats, and back: pure functions, one JSON object a line.

values.py         what a line says, whatever its format; reading.py how its fields are checked
lines.py          bytes to numbered lines, and what makes two lines the same
trl.py            TRL's preference, unpaired preference and prompt-completion
openai.py         OpenAI's fine-tuning: messages, and preference
hh.py             Anthropic's helpful and harmless transcripts
oasst.py          Open-Assistant's trees
ultrafeedback.py  answers with ratings by criterion
own.py            our own: whole rows, nothing left out
formats.py        all of them by name
"""
