curl https://trust.example.com:4443/v2/
