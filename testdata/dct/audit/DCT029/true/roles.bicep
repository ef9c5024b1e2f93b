var signerRole = '6cef56e8-d556-48e5-a04f-b8e64114680f'
